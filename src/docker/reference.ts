/** The name of an image, in its parts. */
export interface ImageReference {
  /** The registry's host and port; `docker.io` for Docker Hub. */
  readonly host: string;
  /** All before tag and digest, as it was written. */
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

export const dockerHub = 'docker.io';

/** Takes the name of an image apart, by the rules of Docker. Whether it may be a name is for the engine to say. */
export function parseReference(reference: string): ImageReference {
  const [, name = reference, tag, digest] = /^([^@]+?)(?::([\w.-]+))?(?:@([\w.+-]+:[0-9a-fA-F]+))?$/.exec(reference) ?? [];
  return { host: hostOf(name), name, tag, digest };
}

/** The same, with the tag or digest that is meant where none is given. */
export function pullableReference(reference: string): string {
  const { name, tag = 'latest', digest } = parseReference(reference);
  return digest === undefined ? `${name}:${tag}` : `${name}@${digest}`;
}

/** What comes before the first `/` is a host only where it looks like one. */
function hostOf(name: string): string {
  const [first = '', ...rest] = name.split('/');
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  return isHost && first !== 'index.docker.io' ? first : dockerHub;
}
