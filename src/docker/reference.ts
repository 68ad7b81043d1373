import { ClipperError } from '../errors.ts';
import { printShort } from '../util/print.ts';

/** The parts of an image's name. */
export interface ImageReference {
  /** The registry's host and port; `docker.io` for Docker Hub. */
  readonly host: string;
  /** Everything before the tag and digest, as written. */
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

export const dockerHub = 'docker.io';

/** Splits an image's name by Docker's rules. Doesn't validate it: the engine does. */
export function parseReference(reference: string): ImageReference {
  const [, name = reference, tag, digest] = /^([^@]+?)(?::([\w.-]+))?(?:@([\w.+-]+:[0-9a-fA-F]+))?$/.exec(reference) ?? [];
  return { host: hostOf(name), name, tag, digest };
}

const speakable = /^[\w[][\w.:/@+[\]-]*$/;
const oddPart = /(?:^|\/)\.{0,2}(?:\/|$)/;

/** Throws E_INVALID_OPTION for a name that would change the path of an API request. The engine checks the other rules. */
export function checkReference(reference: string): string {
  if (speakable.test(reference) && !oddPart.test(reference)) return reference;
  const message = `${printShort(reference)} can't be the name of an image`;
  throw new ClipperError('E_INVALID_OPTION', `${message}: expected one as node:20-slim or ghcr.io/team/iris:3`);
}

/** Adds the default tag if there is neither a tag nor a digest; with a digest, drops the tag. */
export function pullableReference(reference: string): string {
  const { name, tag = 'latest', digest } = parseReference(reference);
  return digest === undefined ? `${name}:${tag}` : `${name}@${digest}`;
}

/** The part before the first `/` is a host only if it looks like one. */
function hostOf(name: string): string {
  const [first = '', ...rest] = name.split('/');
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  return isHost && first !== 'index.docker.io' ? first : dockerHub;
}
