import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { storeBundle } from '../bundle/bundle.ts';
import type { CapturedClosure } from '../closure/graph/closure.ts';
import type { ClusterInfo } from '../contract/cluster.ts';
import { checkName } from '../control/names.ts';
import { findImage, removeImage } from '../docker/images.ts';
import { imageRepository } from '../docker/labels.ts';
import { ClipperError } from '../errors.ts';
import { modelReference, type RegistryConfig } from '../image/registry.ts';
import type { InputType } from '../protocol/input-types.ts';
import { resolveOptions } from '../util/options.ts';
import { printShort } from '../util/print.ts';
import { z } from '../util/zod.ts';
import type { ClipperConnection } from './connection.ts';
import { deployElsewhere } from './deploy-elsewhere.ts';
import { isVersionTaken, ModelBuild } from './model-build.ts';
import { captureModel, functionShape, type ModelFunctions, rootsOf, takesOf } from './model-function.ts';
import { applicationShape, imageShape, type PredictOptions, replicasShape } from './options.ts';
import { checkDeploy, checkEngine, type Deployment, ownCluster, postDeploy, withVersion } from './post-deploy.ts';
import { cancelledIf, Progress } from './progress.ts';
import type { ApplicationInfo, InputOf, Prediction } from './wire.ts';

const deployShape = { ...functionShape, ...replicasShape, ...imageShape };
const DeploySchema = z.strictObject(deployShape);
const EndpointSchema = z.strictObject({ ...deployShape, ...applicationShape });

type DeployConfig = Readonly<z.output<typeof DeploySchema>>;
type Shared = Omit<z.input<typeof DeploySchema>, keyof ModelFunctions<InputType, unknown>>;

/** What to deploy. Give either `predict` or `predictOne`; their inputs are typed by `inputType`. */
export interface DeployOptions<T extends InputType = InputType, Context = undefined> extends Shared, ModelFunctions<T, Context> {}

/** The same, together with the endpoint that it is to answer. */
export interface EndpointOptions<T extends InputType = InputType, Context = undefined> extends DeployOptions<T, Context> {
  defaultOutput?: string;
  sloMicros?: number;
}

/** A deployment and the application that it answers. */
export interface Endpoint<T extends InputType = InputType> extends Deployment {
  readonly application: string;
  /** Where to POST `{"input": …}`. */
  readonly url: string;
  /** Asks the application, as the connection's `predict` does. */
  predict(input: InputOf<T>, options?: PredictOptions): Promise<Prediction>;
  /** Asks for one prediction for each input, in their order. */
  predictBatch(inputs: readonly InputOf<T>[], options?: PredictOptions): Promise<readonly Prediction[]>;
}

/**
 * Turns a function of this process into a served model version: captures it with all it closes over, bundles it, starts
 * replicas and makes the version current once they answer. Where anything fails nothing is left running, and the version
 * before keeps serving. Throws E_INVALID_OPTION, E_NOT_CAPTURABLE, E_BUNDLE_FAILED, E_MODEL_EXISTS,
 * E_INPUT_TYPE_MISMATCH, E_REPLICA_EXITED, E_REPLICA_NOT_READY, E_SAMPLE_FAILED, E_REMOTE_BUNDLE, E_CANCELLED.
 */
export async function deployPredictFunction<T extends InputType, Context = undefined>(
  clipper: ClipperConnection,
  options: DeployOptions<T, Context>,
): Promise<Deployment> {
  checkConnection(clipper);
  return deploy(clipper, resolveOptions(DeploySchema, options, 'deployPredictFunction'));
}

/**
 * Deploys a function and makes a REST endpoint of the same name for it. Called again for an endpoint that is linked to
 * the model already it deploys a new version. Throws what deployPredictFunction does, and E_APPLICATION_EXISTS.
 */
export async function createEndpoint<T extends InputType, Context = undefined>(
  clipper: ClipperConnection,
  options: EndpointOptions<T, Context>,
): Promise<Endpoint<T>> {
  checkConnection(clipper);
  const { defaultOutput, sloMicros, ...config } = resolveOptions(EndpointSchema, options, 'createEndpoint');
  const { name } = config;
  const wanted = { inputType: config.inputType, defaultOutput, sloMicros, cache: true };
  const isThere = await hasEndpoint(clipper, checkName(name), wanted);
  const deployment = await deploy(clipper, config);
  if (!isThere) {
    await clipper.registerApplication({ name, ...wanted, model: name }).catch(async (error: unknown) => {
      // Another call may have made the same one meanwhile.
      if (!(await hasEndpoint(clipper, name, wanted))) throw error;
    });
  }
  return {
    ...deployment,
    application: name,
    url: `${clipper.queryUrl}/${name}/predict`,
    predict: (input, asked) => clipper.predict(name, input, asked),
    predictBatch: (inputs, asked) => clipper.predictBatch(name, inputs, asked),
  };
}

/** Whether an application with these settings is linked to the model of its name. Throws E_APPLICATION_EXISTS for another. */
async function hasEndpoint(
  clipper: ClipperConnection,
  name: string,
  wanted: Pick<ApplicationInfo, 'inputType' | 'defaultOutput' | 'sloMicros' | 'cache'>,
): Promise<boolean> {
  const existing = await clipper.getAppInfo(name);
  if (existing === undefined) return false;
  const { linkedModels, name: _name, apiKeys: _apiKeys, ...settings } = existing;
  if (linkedModels.includes(name) && isDeepStrictEqual(settings, wanted)) return true;
  const message = `An application '${name}' exists with other settings or another model: ${JSON.stringify(existing)}`;
  throw new ClipperError('E_APPLICATION_EXISTS', `${message}. Unregister it first, or deploy under another name`);
}

/** A forgotten first argument is a common slip, and what it leads to says little. */
function checkConnection(clipper: unknown): void {
  if (typeof clipper === 'object' && clipper !== null && 'management' in clipper && 'queryUrl' in clipper) return;
  const message = `The first argument must be a connection, as in deployPredictFunction(await startClipper(), { … }), got ${printShort(clipper)}`;
  throw new ClipperError('E_INVALID_OPTION', message);
}

async function deploy(clipper: ClipperConnection, config: DeployConfig): Promise<Deployment> {
  const { name, version } = config;
  rootsOf(config);
  checkDeploy(config);
  const { ownReplicas } = clipper;
  if (ownReplicas === undefined) ownCluster(clipper);
  using progress = new Progress(version === undefined ? name : `${name}:${version}`, config.onProgress);
  const captured = await captureModel(config, progress);
  if (ownReplicas !== undefined) return await deployElsewhere(clipper, ownReplicas, { config, captured, progress });
  const cluster = ownCluster(clipper);
  const started = cluster.backend === 'docker' ? deployImage : deployBundle;
  // Not returned as it is: the spinner turns until then.
  return await started({ clipper, cluster, config, captured, progress });
}

interface Deploying {
  readonly clipper: ClipperConnection;
  readonly cluster: ClusterInfo;
  readonly config: DeployConfig;
  readonly captured: CapturedClosure;
  readonly progress: Progress;
}

/** Replicas are processes of the server, which read the bundle in its folder. */
async function deployBundle({ clipper, cluster, config, captured, progress }: Deploying): Promise<Deployment> {
  const { name, replicas, packages, signal } = config;
  checkNoImage(config);
  const storeDir = storeOf(cluster, clipper.managementUrl);
  const bundle = await storeBundle(captured, { storeDir, takes: takesOf(config), packages, signal }).catch((error: unknown) => {
    cancelledIf(signal, name);
    throw error;
  });
  for (const warning of bundle.warnings) progress.warn('bundle', `warning: ${warning}`);
  const { digest } = bundle;
  const { version } = await postDeploy(clipper, config, { digest }, progress);
  return { name, version, digest, replicas };
}

/** Replicas are containers, of an image with the bundle in it. */
async function deployImage({ clipper, cluster, config, captured, progress }: Deploying): Promise<Deployment> {
  const { name, replicas } = config;
  await using build = await ModelBuild.prepare(captured, config, { settings: config, progress });
  const { registry } = config;
  if (registry === undefined) checkEngine(cluster, build.engine.facts);
  const { digest } = build.bundle;
  // Not returned as it is: the folder is needed until then.
  return await withVersion(clipper, config, async (version) => {
    if (registry !== undefined) return await deployPushed({ clipper, config, build, version, progress }, registry);
    // With the digest: a name that two deploys race for must not come to mean the other's image.
    const reference = `${imageRepository(cluster.name)}/${name}:${version}-${digest.slice(0, 12)}`;
    try {
      const { id } = await build.image(version, reference);
      await postDeploy(clipper, config, { digest, image: reference, version }, progress);
      return { name, version, digest, image: id, replicas };
    } catch (error) {
      // Where another took the version, it may be of the same function, and so this image its.
      if (!isVersionTaken(error)) await removeImage(build.engine, reference).catch(() => {});
      throw error;
    }
  });
}

/** Replicas are containers of an image in a registry, by its digest. */
async function deployPushed(
  {
    clipper,
    config,
    build,
    version,
    progress,
  }: Pick<Deploying, 'clipper' | 'config' | 'progress'> & { build: ModelBuild; version: string },
  registry: RegistryConfig,
): Promise<Deployment> {
  const { name, replicas } = config;
  const reference = modelReference(registry, { name, version });
  const wasThere = (await findImage(build.engine, reference)) !== undefined;
  try {
    const { pushed } = await build.push(version, registry);
    const { digest } = build.bundle;
    await postDeploy(clipper, config, { digest, image: pushed.reference, version }, progress);
    return { name, version, digest, image: pushed.reference, replicas };
  } finally {
    // The cluster's engine has it under a name of its own.
    if (!wasThere) await removeImage(build.engine, reference).catch(() => {});
  }
}

/** Throws E_INVALID_OPTION for what only images have. */
function checkNoImage({ registry, baseImage }: DeployConfig): void {
  const asked = [...(registry === undefined ? [] : ['registry']), ...(baseImage === 'auto' ? [] : ['baseImage'])];
  if (asked.length === 0) return;
  const message = `The cluster runs its replicas as processes, which have no ${asked.join(', ')}`;
  throw new ClipperError('E_INVALID_OPTION', message, {
    fix: "startClipper({ backend: 'docker' }), or clipper.buildModel for an image",
  });
}

/** The cluster's folder of bundles, which must be on this machine for its replicas to read. */
function storeOf(cluster: ClusterInfo, managementUrl: string): string {
  if (cluster.hostname === hostname() && existsSync(cluster.storeDir)) return cluster.storeDir;
  throw new ClipperError(
    'E_REMOTE_BUNDLE',
    `A function can be deployed to a cluster of processes on this machine only, and ${managementUrl} is on another`,
  );
}
