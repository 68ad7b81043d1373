import { removeImage } from '../docker/images.ts';
import { imageRepository } from '../docker/labels.ts';
import { ensureImage } from '../docker/pull.ts';
import { ClipperError } from '../errors.ts';
import { type NamedImage, putDataImage } from '../image/data-image.ts';
import { resolveOptions } from '../util/options.ts';
import { z } from '../util/zod.ts';
import { dockerEngine, isVersionTaken } from './model-build.ts';
import { inputTypeOption, progressShape, replicasShape, versionOption } from './options.ts';
import {
  checkDeploy,
  checkEngine,
  type Deployment,
  type DeployTarget,
  ownCluster,
  postDeploy,
  withVersion,
} from './post-deploy.ts';
import { Progress } from './progress.ts';

const DeployModelOptions = z.strictObject({
  name: z.string().describe("The model's name."),
  version: versionOption,
  inputType: inputTypeOption,
  image: z
    .string()
    .regex(/^[\w./:@-]+$/, "must be an image's name")
    .describe('The image of its containers, which speak the container RPC.'),
  modelPath: z.string().min(1).optional().describe("A file or folder of the model's data, which containers find at /model."),
  ...replicasShape,
  ...progressShape,
});
export type DeployModelOptions = z.input<typeof DeployModelOptions>;

type Config = z.output<typeof DeployModelOptions>;

/**
 * Deploys an image that speaks Clipper's container RPC: one that the user wrote, or that buildModel made. Throws
 * E_INVALID_OPTION, E_MODEL_EXISTS, E_IMAGE_NOT_FOUND, E_REGISTRY_FAILED, E_REPLICA_EXITED, E_REPLICA_NOT_READY,
 * E_SAMPLE_FAILED, E_REMOTE_BUNDLE, E_DOCKER_UNAVAILABLE, E_CANCELLED.
 */
export async function deployModel(target: DeployTarget, options: DeployModelOptions): Promise<Deployment> {
  const config = resolveOptions(DeployModelOptions, options, 'deployModel');
  checkDeploy(config);
  const cluster = ownCluster(target);
  if (cluster.backend === 'process') {
    const message = 'deployModel runs an image, and the cluster runs its replicas as processes';
    throw new ClipperError('E_INVALID_OPTION', message, { fix: "startClipper({ backend: 'docker' })" });
  }
  const { name, version, replicas } = config;
  using progress = new Progress(version === undefined ? name : `${name}:${version}`, config.onProgress);
  return await withVersion(target, config, async (next) => {
    const made = config.modelPath === undefined ? undefined : await withData(target, config, { version: next, progress });
    try {
      const started = await postDeploy(target, config, { image: made?.reference ?? config.image, version: next }, progress);
      return { name, version: started.version, digest: started.digest, image: made?.id ?? config.image, replicas };
    } catch (error) {
      // Where another took the version, it may be with the same data, and so this image its.
      if (made !== undefined && !isVersionTaken(error)) await removeImage(await dockerEngine(), made.reference).catch(() => {});
      throw error;
    }
  });
}

/** The image with the model's data in it. */
async function withData(
  target: DeployTarget,
  { name, inputType, image, modelPath = '', signal }: Config,
  { version, progress }: { version: string; progress: Progress },
): Promise<NamedImage> {
  const cluster = ownCluster(target);
  const engine = await dockerEngine();
  checkEngine(cluster, engine.facts);
  const following = { onLine: (line: string) => progress.report('image', line), signal };
  const below = await ensureImage(engine, image, following);
  const repository = `${imageRepository(cluster.name)}/${name}`;
  return putDataImage(engine, { below, repository, modelPath, name, version, inputType }, following);
}
