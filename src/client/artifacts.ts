import { type StoredBundle, storeBundle } from '../bundle/bundle.ts';
import type { CapturedClosure } from '../closure/graph/closure.ts';
import { findImage, removeImage } from '../docker/images.ts';
import { imageRepository } from '../docker/labels.ts';
import { modelReference, type RegistryConfig } from '../image/registry.ts';
import type { Artifact, DeployTarget } from './deploy-target.ts';
import { isVersionTaken, ModelBuild } from './model-build.ts';
import { type FunctionConfig, takesOf } from './model-function.ts';
import { cancelledIf, type Progress } from './progress.ts';

/** Makes artifacts of one captured function. Disposing it removes what only the making needed. */
export interface ArtifactMaker extends AsyncDisposable {
  /** Whether an artifact is of one version, which must be known beforehand. */
  readonly isPerVersion: boolean;
  make(version: string): Promise<Artifact>;
  /** Removes an artifact whose deploy failed. */
  discard(artifact: Artifact, error: unknown): Promise<void>;
}

export interface MakerParts {
  readonly config: FunctionConfig & { readonly baseImage: string; readonly registry?: RegistryConfig | undefined };
  readonly captured: CapturedClosure;
  readonly progress: Progress;
}

/** The maker of what a target's replicas run. */
export async function makerFor(target: DeployTarget, parts: MakerParts): Promise<ArtifactMaker> {
  const { config, captured, progress } = parts;
  if (target.runs === 'bundle') return bundleMaker(await bundleFor(target, parts));
  const build = await ModelBuild.prepare(captured, config, { settings: config, progress });
  if (config.registry !== undefined) return pushedImageMaker(build, config.name, config.registry);
  target.checkEngine(build.engine.facts);
  return imageMaker(build, `${imageRepository(target.imageOwner)}/${config.name}`);
}

async function bundleFor(target: DeployTarget, { config, captured, progress }: MakerParts): Promise<StoredBundle> {
  const { name, packages, signal } = config;
  const options = { storeDir: await target.storeDir(), takes: takesOf(config), packages, signal };
  const bundle = await storeBundle(captured, options).catch((error: unknown) => {
    cancelledIf(signal, name);
    throw error;
  });
  for (const warning of bundle.warnings) progress.warn('bundle', `warning: ${warning}`);
  return bundle;
}

/** Bundles stay: the owner of the folder collects those that no version needs. */
const bundleMaker = ({ digest, dir }: StoredBundle): ArtifactMaker => ({
  isPerVersion: false,
  make: async () => ({ kind: 'bundle', digest, dir }),
  discard: async () => {},
  [Symbol.asyncDispose]: async () => {},
});

const imageMaker = (build: ModelBuild, repository: string): ArtifactMaker => ({
  isPerVersion: true,
  make: async (version) => {
    const { digest } = build.bundle;
    // The digest keeps two deploys that race for a version from using each other's image.
    const image = `${repository}:${version}-${digest.slice(0, 12)}`;
    return { kind: 'image', digest, image, id: (await build.image(version, image)).id };
  },
  discard: async (artifact, error) => {
    // If another deploy took the version with the same function, the image is its own.
    if (artifact.kind === 'image' && !isVersionTaken(error)) await removeImage(build.engine, artifact.image).catch(() => {});
  },
  [Symbol.asyncDispose]: () => build[Symbol.asyncDispose](),
});

function pushedImageMaker(build: ModelBuild, name: string, registry: RegistryConfig): ArtifactMaker {
  const made = new Set<string>();
  return {
    isPerVersion: true,
    make: async (version) => {
      const reference = modelReference(registry, { name, version });
      if ((await findImage(build.engine, reference)) === undefined) made.add(reference);
      const { pushed } = await build.push(version, registry);
      return { kind: 'pushedImage', digest: build.bundle.digest, image: pushed.reference };
    },
    discard: async () => {},
    [Symbol.asyncDispose]: async () => {
      // The cluster's engine pulls the image and keeps it under another name.
      for (const reference of made) await removeImage(build.engine, reference).catch(() => {});
      await build[Symbol.asyncDispose]();
    },
  };
}
