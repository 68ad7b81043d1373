import type { Readable } from 'node:stream';
import { ClipperError, type ErrorCode, messageOf } from '../errors.ts';
import { statusOf } from './docker-errors.ts';
import type { DockerEngine } from './engine.ts';
import { followLines, type OnLine } from './progress-lines.ts';
import { checkReference } from './reference.ts';

/** An image as the engine has it. */
export interface ImageFacts {
  readonly id: string;
  readonly tags: readonly string[];
  /** `repository@sha256:…`, for what was pushed or pulled. */
  readonly digests: readonly string[];
  readonly os: string;
  /** As Docker names it: amd64. */
  readonly arch: string;
  readonly variant?: string;
  readonly bytes: number;
  /** When it was last given a name, in milliseconds; undefined where the engine doesn't say. */
  readonly namedAt: number | undefined;
  /** SHA-256 of each uncompressed layer, lowest first. */
  readonly layers: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly env: readonly string[];
  /** How its containers run, as the engine has it. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** How to follow an operation, and to cancel it. */
export interface Following {
  readonly onLine: OnLine;
  readonly signal?: AbortSignal | undefined;
}

/** A name and password for a registry. */
export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly serveraddress?: string;
}

/** Throws E_INVALID_OPTION for what can't be a name. */
export async function findImage(engine: DockerEngine, reference: string): Promise<ImageFacts | undefined> {
  const path = checkReference(reference);
  const found = await engine.find(`The image ${reference} can't be looked up`, (api) => api.getImage(path).inspect());
  if (found === undefined) return undefined;
  const { Config: config } = found;
  const variant = (found as { Variant?: string }).Variant;
  return {
    id: found.Id,
    tags: found.RepoTags ?? [],
    digests: found.RepoDigests ?? [],
    os: found.Os,
    arch: found.Architecture,
    ...(variant ? { variant } : {}),
    bytes: found.Size,
    namedAt: timeOf((found as { Metadata?: { LastTagTime?: string } }).Metadata?.LastTagTime),
    layers: found.RootFS.Layers ?? [],
    labels: config?.Labels ?? {},
    env: config?.Env ?? [],
    config: { ...config },
  };
}

function timeOf(text: string | undefined): number | undefined {
  const time = Date.parse(text ?? '');
  return time > 0 ? time : undefined;
}

/** Loads an archive of images. Throws E_IMAGE_FAILED, E_CANCELLED. */
export async function loadImage(engine: DockerEngine, archive: Readable, following: Following): Promise<void> {
  const sending = { what: 'The image could not be loaded', code: 'E_IMAGE_FAILED', upload: archive, following } as const;
  await send(engine, sending, (api, options) => api.loadImage(archive, options));
}

/** Builds an image from a context whose Dockerfile is in it. Throws E_IMAGE_FAILED, E_CANCELLED. */
export async function buildImage(
  engine: DockerEngine,
  context: Readable,
  { tag, platform, ...following }: Following & { tag: string; platform?: string | undefined },
): Promise<void> {
  const sending = { what: 'The image could not be built', code: 'E_IMAGE_FAILED', upload: context, following } as const;
  const settings = { t: tag, rm: true, forcerm: true, ...(platform === undefined ? {} : { platform }) };
  await send(engine, sending, (api, options) => api.buildImage(context, { ...settings, ...options }));
}

/** Pulls an image. Throws E_REGISTRY_FAILED, E_CANCELLED. */
export async function pullImage(
  engine: DockerEngine,
  reference: string,
  { auth, platform, ...following }: Following & { auth?: RegistryAuth | undefined; platform?: string | undefined },
): Promise<void> {
  const what = `The image ${reference} could not be pulled`;
  const settings = { ...(auth === undefined ? {} : { authconfig: auth }), ...(platform === undefined ? {} : { platform }) };
  await send(engine, { what, code: 'E_REGISTRY_FAILED', following }, (api, options) =>
    api.pull(reference, { ...settings, ...options }),
  );
}

interface Sending {
  readonly what: string;
  readonly code: ErrorCode;
  readonly upload?: Readable;
  readonly following: Following;
}

/** @internal */
type Api = Parameters<Parameters<DockerEngine['ask']>[2]>[0];

/**
 * Starts an operation that answers with lines, and follows it to its end. Nothing of it goes on after a cancel.
 * @internal
 */
export async function send(
  engine: DockerEngine,
  { what, code, upload, following: { onLine, signal } }: Sending,
  start: (api: Api, options: { abortSignal?: AbortSignal }) => Promise<NodeJS.ReadableStream>,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const stop = (): void => void upload?.destroy();
  signal?.addEventListener('abort', stop, { once: true });
  // An upload that fails by itself says more than the connection that it breaks.
  let uploadError: unknown;
  upload?.once('error', (error) => {
    uploadError = error;
  });
  try {
    signal?.throwIfAborted();
    return await engine.ask(what, code, async (api) => {
      const answer = (await start(api, signal === undefined ? {} : { abortSignal: signal })) as Readable;
      return await followLines(answer, onLine);
    });
  } catch (error) {
    if (signal?.aborted === true) throw new ClipperError('E_CANCELLED', `${what}: it was cancelled`, { cause: error });
    if (uploadError === undefined) throw error;
    const message = `What goes into the image can't be read: ${messageOf(uploadError)}`;
    throw new ClipperError('E_BUNDLE_FAILED', message, { fix: 'see that nothing changes it meanwhile', cause: uploadError });
  } finally {
    signal?.removeEventListener('abort', stop);
    upload?.destroy();
  }
}

export const tagImage = (engine: DockerEngine, id: string, { repo, tag }: { repo: string; tag: string }): Promise<void> =>
  engine.ask(`The image ${id} can't be named ${repo}:${tag}`, 'E_IMAGE_FAILED', (api) => api.getImage(id).tag({ repo, tag }));

/** Takes a name away, and the image with its last name. One that is in use, or gone, is left alone. */
export async function removeImage(engine: DockerEngine, reference: string): Promise<void> {
  await engine.find(`The image ${reference} can't be removed`, async (api) => {
    await api
      .getImage(reference)
      .remove()
      .catch((error: unknown) => (statusOf(error) === 409 ? undefined : Promise.reject(error)));
  });
}

/** The names of this form that images have: `clipper-ts/default/*`. */
export async function imagesNamed(engine: DockerEngine, reference: string): Promise<readonly string[]> {
  const found = await engine.ask('The images can not be listed', 'E_DOCKER_REFUSED', (api) =>
    api.listImages({ filters: JSON.stringify({ reference: [reference] }) } as object),
  );
  return found.flatMap(({ RepoTags }) => RepoTags ?? []);
}

/** The ids of the images with a label: `name=value`. */
export async function imagesLabelled(engine: DockerEngine, label: string): Promise<readonly string[]> {
  const found = await engine.ask('The images can not be listed', 'E_DOCKER_REFUSED', (api) =>
    api.listImages({ filters: JSON.stringify({ label: [label] }) } as object),
  );
  return found.map(({ Id }) => Id);
}
