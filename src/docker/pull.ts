import { ClipperError, messageOf } from '../errors.ts';
import { reasonOf, statusOf } from './docker-errors.ts';
import type { DockerEngine } from './engine.ts';
import { type Following, findImage, type ImageFacts, pullImage, removeImage } from './images.ts';
import { dockerHub, parseReference, pullableReference } from './reference.ts';
import { type AuthFor, authFor as userAuthFor } from './registry-auth.ts';
import { registryReason } from './registry-errors.ts';
import { withRetries } from './retries.ts';

export interface EnsureOptions extends Following {
  /** Called only if the image must be pulled. Left out: the user's Docker configuration. */
  readonly authFor?: AuthFor | undefined;
  /**
   * `linux/amd64`. Left out: an image that is already there is accepted as it is; a pulled one must match the engine's
   * platform.
   */
  readonly platform?: string | undefined;
}

/**
 * Returns an image that the engine has, or pulls it. A digest guarantees its bytes. Throws E_IMAGE_NOT_FOUND,
 * E_REGISTRY_FAILED with the next step, E_IMAGE_FAILED if it is for another platform, E_INVALID_OPTION, E_CANCELLED.
 */
export async function ensureImage(engine: DockerEngine, reference: string, options: EnsureOptions): Promise<ImageFacts> {
  const there = await findImage(engine, reference).catch((error: unknown) => {
    throw isNoName(error) ? noName(reference, error as ClipperError) : error;
  });
  if (there !== undefined && fits(there, options.platform)) return there;
  options.onLine(`pulling ${reference}`);
  await pull(engine, reference, options).catch((error: unknown) => {
    if (there === undefined || options.signal?.aborted === true) throw error;
    const why = `the engine's own is for ${there.os}/${there.arch}, and no other can be had: ${messageOf(error)}`;
    throw wrongPlatform(reference, options.platform, why, error);
  });
  const pulled = await findImage(engine, pullableReference(reference));
  if (pulled === undefined) throw notFound(reference, 'it was removed meanwhile');
  checkDigest(reference, pulled);
  const platform = options.platform ?? platformOfEngine(engine);
  if (fits(pulled, platform)) return pulled;
  if (there === undefined) await removeImage(engine, pullableReference(reference));
  throw wrongPlatform(reference, platform, `it is for ${pulled.os}/${pulled.arch}`);
}

async function pull(engine: DockerEngine, reference: string, { platform, authFor = userAuthFor, ...following }: EnsureOptions) {
  const auth = await authFor(reference);
  const { signal } = following;
  await withRetries({ reference, auth, verb: 'pulled from' }, following, async (onLine) => {
    try {
      await pullImage(engine, pullableReference(reference), { auth, platform, onLine, signal });
    } catch (error) {
      throw plainer(error, reference, platform ?? platformOfEngine(engine));
    }
  });
}

/** Turns errors that are not the registry's fault into more specific ones. */
function plainer(error: unknown, reference: string, platform: string | undefined): unknown {
  const reason = registryReason(error);
  if (reason === undefined) return error;
  const { cause } = error as ClipperError;
  if (/no matching manifest|no match for platform|not match the specified platform/.test(reason))
    return wrongPlatform(reference, platform, reason, cause);
  const isRefused = /denied/.test(reason) && parseReference(reference).host !== dockerHub;
  const isMissing = statusOf(cause) === 404 || /manifest unknown|: not found$/.test(reason);
  if (isMissing && !isRefused) return notFound(reference, reason, cause);
  return error;
}

const isNoName = (error: unknown): boolean => statusOf((error as Error).cause) === 400;

function noName(reference: string, { cause }: ClipperError): ClipperError {
  return new ClipperError('E_INVALID_OPTION', `"${reference}" can't be the name of an image: ${reasonOf(cause)}`, { cause });
}

function notFound(reference: string, reason: string, cause?: unknown): ClipperError {
  const { host } = parseReference(reference);
  // Docker Hub gives the same answer for missing and for private images.
  const fix = /denied/.test(reason) ? 'check its spelling; if it is private, `docker login`' : undefined;
  return new ClipperError('E_IMAGE_NOT_FOUND', `There is no image ${reference} in the registry ${host}: ${reason}`, {
    fix,
    cause,
  });
}

function wrongPlatform(reference: string, platform: string | undefined, reason: string, cause?: unknown): ClipperError {
  const message = `The image ${reference} is not there for ${platform}: ${reason}`;
  return new ClipperError('E_IMAGE_FAILED', message, { fix: 'name an image that was made for it', cause });
}

function checkDigest(reference: string, { digests }: ImageFacts): void {
  const { host, digest } = parseReference(reference);
  if (digest === undefined || digests.some((each) => each.endsWith(`@${digest}`))) return;
  const message = `The registry ${host} was asked for ${reference} and gave ${digests.join(', ') || 'an image without a digest'}`;
  throw new ClipperError('E_REGISTRY_FAILED', message);
}

const fits = ({ os, arch }: ImageFacts, platform: string | undefined): boolean =>
  platform === undefined || platform.split('/').slice(0, 2).join('/') === `${os}/${arch}`;

/** Whether an image is for the engine's platform. */
export const isForEngine = (engine: DockerEngine, image: ImageFacts): boolean => fits(image, platformOfEngine(engine));

/** Undefined for architectures that have several names. */
const platformOfEngine = ({ facts: { os, arch } }: DockerEngine): string | undefined =>
  arch === 'amd64' || arch === 'arm64' ? `${os}/${arch}` : undefined;
