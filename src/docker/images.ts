import type { Readable } from 'node:stream';
import { ClipperError, type ErrorCode, messageOf } from '../errors.ts';
import { statusOf } from './docker-errors.ts';
import type { DockerEngine } from './engine.ts';
import { followLines, type OnLine } from './progress-lines.ts';
import { checkReference } from './reference.ts';

/** An image in the engine's store. */
export interface ImageFacts {
  readonly id: string;
  readonly tags: readonly string[];
  /** `repository@sha256:…` of pushed and pulled images. */
  readonly digests: readonly string[];
  readonly os: string;
  /** Docker's name, such as amd64. */
  readonly arch: string;
  readonly variant?: string;
  readonly bytes: number;
  /** When it was last tagged, in milliseconds since 1970; undefined if the engine doesn't say. */
  readonly namedAt: number | undefined;
  /** SHA-256 of each uncompressed layer, lowest first. */
  readonly layers: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly env: readonly string[];
  /** The configuration of its containers, in the engine's format. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** Follows an operation's progress, and cancels it. */
export interface Following {
  readonly onLine: OnLine;
  readonly signal?: AbortSignal | undefined;
}

/** Credentials for a registry. */
export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly serveraddress?: string;
}

/** Throws E_INVALID_OPTION if `reference` can't be an image's name. */
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

/** Builds an image from a context that includes its Dockerfile. Throws E_IMAGE_FAILED, E_CANCELLED. */
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
 * Starts an operation that reports progress in lines, and follows it to its end. Cancelling stops it completely.
 * @internal
 */
export async function send(
  engine: DockerEngine,
  { what, code, upload, following: { onLine, signal } }: Sending,
  start: (api: Api, options: { abortSignal?: AbortSignal }) => Promise<NodeJS.ReadableStream>,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const stop = (): void => void upload?.destroy();
  signal?.addEventListener('abort', stop, { once: true });
  // The upload's own error says more than the broken connection that it causes.
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

/** Removes a name, and the image with its last name. Does nothing if the image is in use or gone. */
export async function removeImage(engine: DockerEngine, reference: string): Promise<void> {
  await engine.find(`The image ${reference} can't be removed`, async (api) => {
    await api
      .getImage(reference)
      .remove()
      .catch((error: unknown) => (statusOf(error) === 409 ? undefined : Promise.reject(error)));
  });
}

/** The names of images that match a pattern such as `clipper-ts/default/*`. */
export async function imagesNamed(engine: DockerEngine, reference: string): Promise<readonly string[]> {
  const found = await engine.ask('The images can not be listed', 'E_DOCKER_REFUSED', (api) =>
    api.listImages({ filters: JSON.stringify({ reference: [reference] }) } as object),
  );
  return found.flatMap(({ RepoTags }) => RepoTags ?? []);
}

/** The ids of the images with a label, `name=value`. */
export async function imagesLabelled(engine: DockerEngine, label: string): Promise<readonly string[]> {
  const found = await engine.ask('The images can not be listed', 'E_DOCKER_REFUSED', (api) =>
    api.listImages({ filters: JSON.stringify({ label: [label] }) } as object),
  );
  return found.map(({ Id }) => Id);
}
