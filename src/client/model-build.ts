import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type StoredBundle, storeBundle } from '../bundle/bundle.ts';
import type { CapturedClosure } from '../closure/graph/closure.ts';
import { engineAddress } from '../docker/docker-config.ts';
import { DockerEngine } from '../docker/engine.ts';
import type { Following, ImageFacts } from '../docker/images.ts';
import { type PushedImage, pushImage } from '../docker/push.ts';
import { isClipperError } from '../errors.ts';
import { putModelImage } from '../image/model-image.ts';
import { type ImagePlatform, nodeArch } from '../image/platform.ts';
import { authWith, modelReference, type RegistryConfig } from '../image/registry.ts';
import { ensureRuntimeImage, type RuntimeImage } from '../image/runtime-image.ts';
import { temporaryDir } from '../util/state-dir.ts';
import { type FunctionConfig, takesOf } from './model-function.ts';
import { cancelledIf, type Progress } from './progress.ts';

/** How to make an image. */
export interface BuildSettings {
  readonly baseImage: string;
  readonly registry?: RegistryConfig | undefined;
  readonly platform?: ImagePlatform | undefined;
}

const connected = new Map<string | undefined, Promise<DockerEngine>>();

/** The engine that the `docker` command uses, connected to once per address. Throws E_DOCKER_UNAVAILABLE. */
export async function dockerEngine(): Promise<DockerEngine> {
  const address = await engineAddress();
  const known = connected.get(address);
  if (known !== undefined) return known;
  const engine = DockerEngine.connect();
  connected.set(address, engine);
  engine.catch(() => connected.delete(address));
  return engine;
}

/** Makes the base of all images ahead of the first deploy. */
export async function prepareImages(signal: AbortSignal | undefined): Promise<void> {
  const engine = await dockerEngine();
  await ensureRuntimeImage(engine, { baseImage: 'auto', onLine: () => {}, signal, authFor: authWith(undefined) });
}

interface BuildParts {
  readonly engine: DockerEngine;
  readonly bundle: StoredBundle;
  readonly config: FunctionConfig;
  readonly following: Following;
  readonly source: string | undefined;
  readonly runtime: RuntimeImage;
  readonly findRuntime: () => Promise<RuntimeImage>;
  readonly dir: AsyncDisposable;
}

/** A captured function on its way to an image. Disposing it removes the folder of its bundle. */
export class ModelBuild implements AsyncDisposable {
  readonly #parts: BuildParts;

  private constructor(parts: BuildParts) {
    this.#parts = parts;
  }

  /** Throws E_DOCKER_UNAVAILABLE, E_IMAGE_FAILED, E_BUNDLE_FAILED, E_REGISTRY_FAILED, E_CANCELLED. */
  static async prepare(
    captured: CapturedClosure,
    config: FunctionConfig,
    { settings, progress }: { settings: BuildSettings; progress: Progress },
  ): Promise<ModelBuild> {
    const { name, packages, signal } = config;
    const following = { onLine: (line: string) => progress.report('image', line), signal };
    const engine = await dockerEngine();
    const base = { ...settings, ...following, authFor: authWith(settings.registry) };
    const findRuntime = (): Promise<RuntimeImage> => ensureRuntimeImage(engine, base);
    const runtime = await findRuntime();
    const dir = await temporaryDir('build');
    try {
      const target = { platform: 'linux', arch: nodeArch(runtime.platform.arch), libc: runtime.libc } as const;
      const bundle = await storeBundle(captured, { storeDir: dir.path, takes: takesOf(config), packages, target, signal });
      for (const warning of bundle.warnings) progress.warn('bundle', `warning: ${warning}`);
      const source = sourceOf(captured.projectDir);
      return new ModelBuild({ engine, bundle, config, following, source, runtime, findRuntime, dir });
    } catch (error) {
      await dir[Symbol.asyncDispose]();
      cancelledIf(signal, name);
      throw error;
    }
  }

  get engine(): DockerEngine {
    return this.#parts.engine;
  }

  get bundle(): StoredBundle {
    return this.#parts.bundle;
  }

  /** Makes the image of a version. */
  async image(version: string, reference: string): Promise<ImageFacts> {
    const { engine, bundle, config, following, source, runtime, findRuntime } = this.#parts;
    following.onLine(`making the image ${reference}`);
    const { name, inputType } = config;
    const model = { name, version, inputType, bundle, source, reference };
    try {
      return await putModelImage(engine, { ...model, runtime }, following);
    } catch (error) {
      if (!isClipperError(error) || error.code !== 'E_IMAGE_NOT_FOUND') throw error;
      // The base image was removed meanwhile: make it again.
      return putModelImage(engine, { ...model, runtime: await findRuntime() }, following);
    }
  }

  /** Makes the image of a version and pushes it. Throws E_REGISTRY_FAILED. */
  async push(version: string, registry: RegistryConfig): Promise<{ readonly facts: ImageFacts; readonly pushed: PushedImage }> {
    const { engine, config, following } = this.#parts;
    const reference = modelReference(registry, { name: config.name, version });
    const facts = await this.image(version, reference);
    following.onLine(`pushing ${reference}`);
    const auth = await authWith(registry)(reference);
    return { facts, pushed: await pushImage(engine, { reference, auth, ...following }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.dir[Symbol.asyncDispose]();
  }
}

/** The user's source repository, from the project's package.json. */
function sourceOf(projectDir: string): string | undefined {
  try {
    const { repository } = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8')) as {
      repository?: string | { url?: string };
    };
    return typeof repository === 'string' ? repository : repository?.url;
  } catch {
    return undefined;
  }
}

/** Whether a deploy failed only because another took its version first. */
export const isVersionTaken = (error: unknown): boolean => isClipperError(error) && error.code === 'E_MODEL_EXISTS';
