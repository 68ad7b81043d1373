import { removeImage } from '../docker/images.ts';
import { imageRepository } from '../docker/labels.ts';
import { ensureImage } from '../docker/pull.ts';
import { ClipperError } from '../errors.ts';
import { type NamedImage, putDataImage } from '../image/data-image.ts';
import { resolveOptions } from '../util/options.ts';
import { z } from '../util/zod.ts';
import { checkDeploy, type Deployment, withVersion } from './deploy-target.ts';
import { dockerEngine, isVersionTaken } from './model-build.ts';
import { inputTypeOption, progressShape, replicasShape, versionOption } from './options.ts';
import { Progress } from './progress.ts';
import { type Server, ServerTarget } from './server-target.ts';

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
/** What to deploy: an image, and how its replicas run. */
export type DeployModelOptions = z.input<typeof DeployModelOptions>;

type Config = z.output<typeof DeployModelOptions>;

/**
 * Deploys an image that speaks Clipper's container RPC: one that the user wrote, or that buildModel made. Throws
 * E_INVALID_OPTION, E_MODEL_EXISTS, E_IMAGE_NOT_FOUND, E_REGISTRY_FAILED, E_REPLICA_EXITED, E_REPLICA_NOT_READY,
 * E_SAMPLE_FAILED, E_REMOTE_BUNDLE, E_DOCKER_UNAVAILABLE, E_CANCELLED.
 */
export async function deployModel(server: Server, options: DeployModelOptions): Promise<Deployment> {
  const config = resolveOptions(DeployModelOptions, options, 'deployModel');
  checkDeploy(config);
  const target = new ServerTarget(server);
  if (target.runs === 'bundle') {
    const message = 'deployModel runs an image, and the cluster runs its replicas as processes';
    throw new ClipperError('E_INVALID_OPTION', message, { fix: "startClipper({ backend: 'docker' })" });
  }
  const { name, version, replicas, image } = config;
  using progress = new Progress(version === undefined ? name : `${name}:${version}`, config.onProgress);
  return await withVersion(target, config, async (next) => {
    const made = config.modelPath === undefined ? undefined : await withData(target, config, { version: next, progress });
    const artifact = { kind: 'image', digest: undefined, image: made?.reference ?? image, id: made?.id ?? image } as const;
    try {
      const started = await target.start(artifact, { config, version: next, progress });
      return { name, ...started, image: artifact.id, replicas };
    } catch (error) {
      // If another deploy took the version with the same data, the image is its own.
      if (made !== undefined && !isVersionTaken(error)) await removeImage(await dockerEngine(), made.reference).catch(() => {});
      throw error;
    }
  });
}

/** The image with the model's data in it. */
async function withData(
  target: ServerTarget,
  { name, inputType, image, modelPath = '', signal }: Config,
  { version, progress }: { version: string; progress: Progress },
): Promise<NamedImage> {
  const engine = await dockerEngine();
  target.checkEngine(engine.facts);
  const following = { onLine: (line: string) => progress.report('image', line), signal };
  const below = await ensureImage(engine, image, following);
  const repository = `${imageRepository(target.imageOwner)}/${name}`;
  return putDataImage(engine, { below, repository, modelPath, name, version, inputType }, following);
}
