import { ClipperError } from '../errors.ts';
import type { DockerEngine } from './engine.ts';
import { type Following, type RegistryAuth, send } from './images.ts';
import { parseReference } from './reference.ts';
import type { RegistryTask } from './registry-errors.ts';
import { withRetries } from './retries.ts';

export interface PushOptions extends Following {
  /** A name that the image has in the engine, including the registry's host. */
  readonly reference: string;
  readonly auth?: RegistryAuth | undefined;
}

/** A pushed image. */
export interface PushedImage {
  /** `host:port/namespace/name@sha256:…`: pulling it gives exactly these bytes, or fails. */
  readonly reference: string;
  readonly digest: string;
}

/**
 * Pushes an image to the registry in its name, and checks that the registry has it under this name. Throws
 * E_REGISTRY_FAILED with the next step, E_IMAGE_NOT_FOUND, E_CANCELLED.
 */
export async function pushImage(engine: DockerEngine, options: PushOptions): Promise<PushedImage> {
  const { reference, auth, onLine, signal } = options;
  const { name } = parseReference(reference);
  const pushing: RegistryTask = { reference, auth, verb: 'pushed to' };
  const digest = await withRetries(pushing, options, (report) => pushOnce(engine, pushing, { onLine: report, signal }));
  const looking: RegistryTask = { reference, auth, verb: 'looked up in' };
  const there = await withRetries(looking, options, () => digestThere(engine, looking, signal));
  if (there !== digest) throw mismatch(reference, digest, there);
  onLine(`${reference} is ${digest}`);
  return { reference: `${name}@${digest}`, digest };
}

async function pushOnce(engine: DockerEngine, { reference, auth }: RegistryTask, following: Following): Promise<string> {
  const { name, tag = 'latest' } = parseReference(reference);
  const sending = { what: `The image ${reference} could not be pushed`, code: 'E_REGISTRY_FAILED', following } as const;
  const results = await send(engine, sending, async (api, options) => {
    const image = api.getImage(name);
    // The engine requires credentials, even empty ones.
    return await image.push({ tag, authconfig: auth ?? {}, ...options });
  }).catch((error: unknown) => {
    throw isUnknownToEngine(error) ? unknownToEngine(reference, error) : error;
  });
  const digest = results.map((result) => result.Digest).find((each) => typeof each === 'string');
  if (digest !== undefined) return digest;
  throw new ClipperError('E_REGISTRY_FAILED', `${sending.what}: the Docker engine gave no digest of it`);
}

const isUnknownToEngine = (error: unknown): boolean =>
  /does not exist locally|No such image/.test((error as Error | undefined)?.message ?? '');

const unknownToEngine = (reference: string, cause: unknown): ClipperError =>
  new ClipperError('E_IMAGE_NOT_FOUND', `The Docker engine has no image ${reference} to push`, { cause });

/** The digest that the registry reports for a name. */
function digestThere(engine: DockerEngine, { reference, auth }: RegistryTask, signal?: AbortSignal): Promise<string> {
  const what = `The image ${reference} could not be looked up`;
  return engine.ask(what, 'E_REGISTRY_FAILED', async (api) => {
    const image = api.getImage(reference);
    const answer = await unlessAborted(image.distribution({ authconfig: auth ?? {} }), what, signal);
    return (answer as { readonly Descriptor?: { readonly digest?: string } }).Descriptor?.digest ?? 'no digest';
  });
}

/** For requests that can't be cancelled: stops waiting for the response. */
async function unlessAborted<T>(answer: Promise<T>, what: string, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return answer;
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new ClipperError('E_CANCELLED', `${what}: it was cancelled`, { cause: signal.reason }));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([answer, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function mismatch(reference: string, pushed: string, there: string): ClipperError {
  const { host } = parseReference(reference);
  const message = `The registry ${host} has ${there} as ${reference}, and ${pushed} was pushed`;
  return new ClipperError(
    'E_REGISTRY_FAILED',
    `${message}: somebody else pushes under this name, or the registry changes images`,
  );
}
