import { ClipperError, isClipperError } from '../errors.ts';
import { reasonOf } from './docker-errors.ts';
import type { RegistryAuth } from './images.ts';
import { dockerHub, parseReference } from './reference.ts';

/** Why something that was asked of a registry failed. */
export type RegistryTrouble = 'transient' | 'refused' | 'missing' | 'plain-http' | 'untrusted' | 'unknown-host' | 'other';

// The engine passes on what a registry said as text only, with status 200 or 500. First that fits.
const troubles: readonly (readonly [RegistryTrouble, RegExp])[] = [
  ['plain-http', /server gave HTTP response to HTTPS client/],
  ['transient', /toomanyrequests|too many requests|TLS handshake timeout/i],
  [
    'refused',
    /unauthorized|denied|forbidden|no basic auth credentials|authentication required|authorization failed|insufficient_scope|incorrect username or password|HTTP 40[13]\b/i,
  ],
  ['missing', /name unknown|manifest unknown|does not exist|not found|HTTP 404\b/i],
  ['unknown-host', /no such host/],
  ['untrusted', /x509:|certificate signed by|tls: /i],
  [
    'transient',
    /connection refused|connection reset|broken pipe|\bEOF\b|time(?:d )?-?out|deadline exceeded|no route to host|network is unreachable|server misbehaving|temporary failure|\b(?:429|5\d\d) [A-Z][a-z]+|HTTP (?:429|5\d\d)\b/i,
  ],
];

/** What the registry, or the engine about it, said. Undefined for errors that are about something else. */
export function registryReason(error: unknown): string | undefined {
  if (!isClipperError(error) || error.code !== 'E_REGISTRY_FAILED') return undefined;
  return reasonOf(error.cause ?? error);
}

export function troubleOf(error: unknown): RegistryTrouble {
  // Without addresses and names of images: a model may be called `timeout`.
  const words = registryReason(error)?.replace(/\S*\/\S*/g, '');
  const found = words === undefined ? undefined : troubles.find(([, pattern]) => pattern.test(words));
  return found?.[0] ?? 'other';
}

/** Something that the engine does with a registry for us. */
export interface RegistryTask {
  readonly reference: string;
  /** What could not be done: `pushed to`. */
  readonly verb: 'pushed to' | 'pulled from' | 'looked up in';
  readonly auth: RegistryAuth | undefined;
}

/** An error of a registry with its name, as whom it was asked, and the next step. Other errors are left as they are. */
export function registryError(error: unknown, task: RegistryTask, attempts: number): unknown {
  const reason = registryReason(error);
  const fix = fixOf(troubleOf(error), task);
  if (reason === undefined || fix === undefined) return error;
  const { host } = parseReference(task.reference);
  const often = attempts === 1 ? '' : `, tried ${attempts} times`;
  const message = `The image ${task.reference} could not be ${task.verb} the registry ${host} ${asWhom(task)}${often}: ${reason}`;
  return new ClipperError('E_REGISTRY_FAILED', message, { fix, cause: error });
}

function asWhom({ auth }: RegistryTask): string {
  if (auth === undefined) return 'without credentials';
  return auth.username === undefined ? 'with an identity token' : `as ${JSON.stringify(auth.username)}`;
}

function fixOf(trouble: RegistryTrouble, { reference }: RegistryTask): string | undefined {
  const { host, name } = parseReference(reference);
  switch (trouble) {
    case 'refused':
      return `\`docker login${host === dockerHub ? '' : ` ${host}`}\`, or give who may do so: registry: { address: '${addressIn(name, host)}', username, password }`;
    case 'missing':
      return `look at the namespace in the name; some registries take an image only when its repository was made before`;
    case 'plain-http':
      return `serve ${host} with TLS, or name it in "insecure-registries" of the engine's /etc/docker/daemon.json; plain HTTP is for registries on the engine's own loopback address (127.0.0.1)`;
    case 'unknown-host':
      return `see that ${host} is spelt right, and that the machine of the Docker engine can look it up and reach it`;
    case 'untrusted':
      return `put the certificate of its authority on the engine's machine, in /etc/docker/certs.d/${host}/ca.crt`;
    case 'transient':
      return `see that ${host} is up and that the machine of the Docker engine reaches it, and try again`;
    case 'other':
      return undefined;
    default:
      throw new TypeError(`No fix for ${String(trouble satisfies never)}`);
  }
}

const addressIn = (name: string, host: string): string => name.split('/').slice(0, -1).join('/') || host;
