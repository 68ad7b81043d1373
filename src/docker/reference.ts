import { ClipperError } from '../errors.ts';
import { printShort } from '../util/print.ts';

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

const speakable = /^[\w[][\w.:/@+[\]-]*$/;
const oddPart = /(?:^|\/)\.{0,2}(?:\/|$)/;

/** Throws E_INVALID_OPTION for what would be another path of the engine's API; the rest of the rules are the engine's. */
export function checkReference(reference: string): string {
  if (speakable.test(reference) && !oddPart.test(reference)) return reference;
  const message = `${printShort(reference)} can't be the name of an image`;
  throw new ClipperError('E_INVALID_OPTION', `${message}: expected one as node:20-slim or ghcr.io/team/iris:3`);
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
