import { ClipperError, isClipperError } from '../errors.ts';
import { reasonOf } from './docker-errors.ts';
import type { RegistryAuth } from './images.ts';
import { dockerHub, parseReference } from './reference.ts';

/** Why a registry request failed. */
export type RegistryTrouble = 'transient' | 'refused' | 'missing' | 'plain-http' | 'untrusted' | 'unknown-host' | 'other';

// The engine passes on registry errors only as text, with status 200 or 500. The first match wins.
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

/** What the registry said, or the engine about it. Undefined for other errors. */
export function registryReason(error: unknown): string | undefined {
  if (!isClipperError(error) || error.code !== 'E_REGISTRY_FAILED') return undefined;
  return reasonOf(error.cause ?? error);
}

export function troubleOf(error: unknown): RegistryTrouble {
  // Ignores addresses and image names: a model may be called `timeout`.
  const words = registryReason(error)?.replace(/\S*\/\S*/g, '');
  const found = words === undefined ? undefined : troubles.find(([, pattern]) => pattern.test(words));
  return found?.[0] ?? 'other';
}

/** An operation of the engine on a registry. */
export interface RegistryTask {
  readonly reference: string;
  /** The words for error messages. */
  readonly verb: 'pushed to' | 'pulled from' | 'looked up in';
  readonly auth: RegistryAuth | undefined;
}

/** Adds to a registry's error the registry's name, the user, and the next step. Returns other errors unchanged. */
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
