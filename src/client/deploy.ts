import { isDeepStrictEqual } from 'node:util';
import { checkName } from '../control/names.ts';
import { ClipperError } from '../errors.ts';
import type { InputType } from '../protocol/input-types.ts';
import { resolveOptions } from '../util/options.ts';
import { printShort } from '../util/print.ts';
import { z } from '../util/zod.ts';
import { makerFor } from './artifacts.ts';
import { ClientRunTarget } from './client-run-target.ts';
import type { ClipperConnection } from './connection.ts';
import { checkDeploy, type Deployment, type DeployTarget, imageOf, withVersion } from './deploy-target.ts';
import { captureModel, functionShape, type ModelFunctions, rootsOf } from './model-function.ts';
import { applicationShape, imageShape, type PredictOptions, replicasShape } from './options.ts';
import { Progress } from './progress.ts';
import { ServerTarget } from './server-target.ts';
import type { ApplicationInfo, InputOf, Prediction } from './wire.ts';

const deployShape = { ...functionShape, ...replicasShape, ...imageShape };
const DeploySchema = z.strictObject(deployShape);
const EndpointSchema = z.strictObject({ ...deployShape, ...applicationShape });

type DeployConfig = Readonly<z.output<typeof DeploySchema>>;
type Shared = Omit<z.input<typeof DeploySchema>, keyof ModelFunctions<InputType, unknown>>;

/** What to deploy. Give either `predict` or `predictOne`; their inputs are typed by `inputType`. */
export interface DeployOptions<T extends InputType = InputType, Context = undefined> extends Shared, ModelFunctions<T, Context> {}

/** The same, with the settings of its endpoint. */
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
 * replicas and makes the version current once they answer. If anything fails, nothing is left running and the previous
 * version keeps serving. Throws E_INVALID_OPTION, E_NOT_CAPTURABLE, E_BUNDLE_FAILED, E_MODEL_EXISTS,
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
 * Deploys a function and makes a REST endpoint of the same name for it. If the endpoint exists and is linked to the
 * model, it deploys a new version. Throws what deployPredictFunction does, and E_APPLICATION_EXISTS.
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

/** Whether an application with these settings is linked to the model of its name. Throws E_APPLICATION_EXISTS if it differs. */
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

/** Forgetting the first argument is a common slip, and its later error says little. */
function checkConnection(clipper: unknown): void {
  if (typeof clipper === 'object' && clipper !== null && 'management' in clipper && 'queryUrl' in clipper) return;
  const message = `The first argument must be a connection, as in deployPredictFunction(await startClipper(), { … }), got ${printShort(clipper)}`;
  throw new ClipperError('E_INVALID_OPTION', message);
}

/** Takes a function from this process's memory to serving replicas. */
async function deploy(clipper: ClipperConnection, config: DeployConfig): Promise<Deployment> {
  const { name, version, replicas } = config;
  rootsOf(config);
  checkDeploy(config);
  const target = targetOf(clipper);
  target.check(config);
  using progress = new Progress(version === undefined ? name : `${name}:${version}`, config.onProgress);
  const captured = await captureModel(config, progress);
  await using maker = await makerFor(target, { config, captured, progress });
  const start = async (wanted: string | undefined): Promise<Deployment> => {
    const artifact = await maker.make(wanted ?? '');
    try {
      const started = await target.start(artifact, { config, version: wanted, progress });
      return { name, version: started.version, digest: artifact.digest ?? started.digest, ...imageOf(artifact), replicas };
    } catch (error) {
      await maker.discard(artifact, error);
      throw error;
    }
  };
  // Awaited here: the maker and the spinner must live until then.
  if (target.assignsVersions && !maker.isPerVersion) return await start(undefined);
  return await withVersion(target, config, start);
}

const targetOf = (clipper: ClipperConnection): DeployTarget =>
  clipper.ownReplicas === undefined ? new ServerTarget(clipper) : new ClientRunTarget(clipper.management, clipper.ownReplicas);
