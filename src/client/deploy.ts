import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { type StoredBundle, storeBundle } from '../bundle/bundle.ts';
import { packagesOption } from '../bundle/packages-option.ts';
import { captureRoots } from '../closure/capture.ts';
import { secretsOption } from '../closure/options.ts';
import { checkLabel, checkName, checkVersion } from '../control/names.ts';
import { ClipperError } from '../errors.ts';
import { type ClusterInfo, type DeployBody, maxReplicas } from '../http/cluster-routes.ts';
import { inputBytes } from '../http/json-inputs.ts';
import type { InputType, InputValues } from '../protocol/input-types.ts';
import { resolveOptions } from '../util/options.ts';
import { printShort } from '../util/print.ts';
import type { ClipperConnection } from './connection.ts';
import { applicationShape, inputTypeOption } from './options.ts';
import { type OnProgress, Progress } from './progress.ts';
import { type ApplicationInfo, type Input, plainInput } from './wire.ts';

const aFunction = z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function', 'must be a function');

const deployShape = {
  name: z.string().describe("The model's name."),
  version: z.union([z.string(), z.number()]).optional().describe('Left out: the next free integer.'),
  inputType: inputTypeOption,
  predict: aFunction.optional().describe('Maps a batch of inputs to one output each, in order.'),
  predictOne: aFunction.optional().describe('Maps one input to its output.'),
  setup: aFunction.optional().describe('Runs once in each replica; what it returns is passed to the function as its context.'),
  labels: z.array(z.string()).default([]),
  replicas: z.number().int().positive().max(maxReplicas).default(1).describe('How many copies to run.'),
  batchSize: z
    .number()
    .int()
    .refine((size) => size === -1 || size > 0, 'must be -1 (adaptive) or greater than 0')
    .default(-1)
    .describe('Inputs a batch at most; -1: adaptive.'),
  env: z.record(z.string(), z.string()).default({}).describe("Environment variables for the replicas, besides the server's own."),
  packages: packagesOption,
  secrets: secretsOption,
  sample: z.custom<Input>().optional().describe('An input that must be answered before the version becomes current.'),
  onProgress: z.custom<OnProgress>((value) => typeof value === 'function', 'must be a function').optional(),
  signal: z.instanceof(AbortSignal).optional().describe('Gives up the deploy, with nothing left of it.'),
};
const DeploySchema = z.strictObject(deployShape);
const EndpointSchema = z.strictObject({ ...deployShape, ...applicationShape });

type DeployConfig = Readonly<z.output<typeof DeploySchema>>;
type Shared = Omit<z.input<typeof DeploySchema>, 'inputType' | 'predict' | 'predictOne' | 'setup'>;

/** What to deploy. Give either `predict` or `predictOne`; their inputs are typed by `inputType`. */
export interface DeployOptions<T extends InputType = InputType, Context = undefined> extends Shared {
  inputType: T;
  predict?: (inputs: InputValues[T][], context: Context) => ArrayLike<unknown> | Promise<ArrayLike<unknown>>;
  predictOne?: (input: InputValues[T], context: Context) => unknown;
  setup?: () => Context | Promise<Context>;
}

/** The same, together with the endpoint that it is to answer. */
export interface EndpointOptions<T extends InputType = InputType, Context = undefined> extends DeployOptions<T, Context> {
  defaultOutput?: string;
  sloMicros?: number;
}

/** A model version that serves. */
export interface Deployment {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of its bundle. */
  readonly digest: string;
  readonly replicas: number;
}

/** A deployment and the application that it answers. */
export interface Endpoint extends Deployment {
  readonly application: string;
  /** Where to POST `{"input": …}`. */
  readonly url: string;
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
): Promise<Endpoint> {
  checkConnection(clipper);
  const { defaultOutput, sloMicros, ...config } = resolveOptions(EndpointSchema, options, 'createEndpoint');
  const { name } = config;
  const wanted = { inputType: config.inputType, defaultOutput, sloMicros };
  const isThere = await hasEndpoint(clipper, checkName(name), wanted);
  const deployment = await deploy(clipper, config);
  if (!isThere) {
    await clipper.registerApplication({ name, ...wanted, model: name }).catch(async (error: unknown) => {
      // Another call may have made the same one meanwhile.
      if (!(await hasEndpoint(clipper, name, wanted))) throw error;
    });
  }
  return { ...deployment, application: name, url: `${clipper.queryUrl}/${name}/predict` };
}

/** Whether an application with these settings is linked to the model of its name. Throws E_APPLICATION_EXISTS for another. */
async function hasEndpoint(
  clipper: ClipperConnection,
  name: string,
  wanted: Pick<ApplicationInfo, 'inputType' | 'defaultOutput' | 'sloMicros'>,
): Promise<boolean> {
  const existing = await clipper.getAppInfo(name);
  if (existing === undefined) return false;
  const { linkedModels, name: _name, ...settings } = existing;
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
  const roots = rootsOf(config);
  const name = checkName(config.name, 'model name');
  const version = config.version === undefined ? undefined : checkVersion(config.version);
  config.labels.forEach(checkLabel);
  const sample = config.sample === undefined ? undefined : inputBytes(config.inputType, plainInput(config.sample));
  const storeDir = storeOf(clipper);
  using progress = new Progress(version === undefined ? name : `${name}:${version}`, config.onProgress);
  const cancelled = (): void => {
    if (config.signal?.aborted === true) throw new ClipperError('E_CANCELLED', `The deploy of ${name} was cancelled`);
  };
  cancelled();
  progress.report('capture', 'capturing the function');
  const captured = await captureRoots(roots, { secrets: config.secrets });
  for (const { path, what, fix } of captured.warnings) progress.warn('capture', `warning: ${path}: ${what}. Fix: ${fix}`);
  cancelled();
  progress.report('bundle', `bundling ${captured.functions.length} functions`);
  const takes = config.predict === undefined ? 'one' : 'batch';
  const { packages, signal } = config;
  const bundle = await storeBundle(captured, { storeDir, takes, packages, signal }).catch((error: unknown) => {
    cancelled();
    throw error;
  });
  for (const warning of bundle.warnings) progress.warn('bundle', `warning: ${warning}`);
  progress.report('start', `starting ${config.replicas} replica${config.replicas === 1 ? '' : 's'}`);
  const body = deployBody(config, { name, version, sample, bundle });
  const started = (await clipper.management.post('/admin/v1/deploy', body, config.signal)) as { version: string };
  progress.report('ready', `version ${started.version} is serving`);
  return { name, version: started.version, digest: bundle.digest, replicas: config.replicas };
}

function deployBody(
  { inputType, labels, batchSize, replicas, env }: DeployConfig,
  {
    name,
    version,
    sample,
    bundle,
  }: { name: string; version: string | undefined; sample: Uint8Array | undefined; bundle: StoredBundle },
): DeployBody {
  return {
    name,
    inputType,
    labels,
    batchSize,
    replicas,
    env,
    digest: bundle.digest,
    ...(version === undefined ? {} : { version }),
    ...(sample === undefined ? {} : { sampleBase64: Buffer.from(sample).toString('base64') }),
  };
}

/** The functions to capture together, so that they keep sharing what they share. */
function rootsOf({ predict, predictOne, setup }: DeployConfig): Record<string, Function> {
  const main = predict ?? predictOne;
  if (main === undefined || (predict !== undefined && predictOne !== undefined)) {
    const got = main === undefined ? 'neither' : 'both';
    throw new ClipperError('E_INVALID_OPTION', `Give either predict (a batch of inputs) or predictOne (one input), got ${got}`);
  }
  return setup === undefined ? { default: main } : { default: main, setup };
}

/** The cluster's folder of bundles, which must be on this machine for its replicas to read. */
function storeOf(clipper: ClipperConnection): string {
  const cluster: ClusterInfo | undefined = clipper.cluster;
  if (cluster !== undefined && cluster.hostname === hostname() && existsSync(cluster.storeDir)) return cluster.storeDir;
  throw new ClipperError(
    'E_REMOTE_BUNDLE',
    `A function can be deployed to a clipper-ts server on this machine only, and ${clipper.managementUrl} is none`,
  );
}
