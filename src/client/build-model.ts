import { checkName, checkVersion } from '../control/names.ts';
import { ClipperError } from '../errors.ts';
import { parsePlatform } from '../image/platform.ts';
import type { InputType } from '../protocol/input-types.ts';
import { resolveOptions } from '../util/options.ts';
import { z } from '../util/zod.ts';
import { ModelBuild } from './model-build.ts';
import { captureModel, functionShape, type ModelFunctions } from './model-function.ts';
import { imageShape } from './options.ts';
import { Progress } from './progress.ts';
import { type Server, ServerTarget } from './server-target.ts';

const BuildOptions = z.strictObject({
  ...functionShape,
  ...imageShape,
  platform: z
    .string()
    .optional()
    .transform((text) => (text === undefined ? undefined : parsePlatform(text)))
    .describe("What the image is for, as linux/arm64; left out: the Docker engine's own platform."),
});

/** What to build an image of. Give either `predict` or `predictOne`. */
export type BuildOptions<T extends InputType = InputType, Context = undefined> = Omit<
  z.input<typeof BuildOptions>,
  keyof ModelFunctions<T, Context>
> &
  ModelFunctions<T, Context>;

/** An image of a model, on the Docker engine of the user's Docker command. */
export interface BuiltModel {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the bundle in it. */
  readonly digest: string;
  /** Give this to `deployModel` or `docker run`. From a registry: by its digest. */
  readonly image: string;
  /** `sha256:…` */
  readonly id: string;
  readonly bytes: number;
}

/**
 * Makes an image of a function of this process, without deploying it. It stays until it is removed. Throws
 * E_INVALID_OPTION, E_NOT_CAPTURABLE, E_BUNDLE_FAILED, E_IMAGE_FAILED, E_REGISTRY_FAILED, E_DOCKER_UNAVAILABLE, E_CANCELLED.
 */
export async function buildModel<T extends InputType, Context = undefined>(
  server: Server,
  options: BuildOptions<T, Context>,
): Promise<BuiltModel> {
  const config = resolveOptions(BuildOptions, options, 'buildModel');
  const name = checkName(config.name, 'model name');
  const version = config.version === undefined ? await versionFor(server, name) : checkVersion(config.version);
  using progress = new Progress(`${name}:${version}`, config.onProgress);
  const captured = await captureModel(config, progress);
  await using build = await ModelBuild.prepare(captured, config, { settings: config, progress });
  const { digest } = build.bundle;
  if (config.registry !== undefined) {
    const { facts, pushed } = await build.push(version, config.registry);
    progress.report('ready', `the image ${pushed.reference} is pushed`);
    return { name, version, digest, image: pushed.reference, id: facts.id, bytes: facts.bytes };
  }
  const image = `clipper/${name}:${version}`;
  const { id, bytes } = await build.image(version, image);
  progress.report('ready', `the image ${image} is made`);
  return { name, version, digest, image, id, bytes };
}

async function versionFor(server: Server, name: string): Promise<string> {
  if (server.cluster !== undefined) return new ServerTarget(server).nextVersion(name, undefined);
  const message = `Give a version: ${server.management.url} is not a clipper-ts server, which would find the next one`;
  throw new ClipperError('E_INVALID_OPTION', message);
}
