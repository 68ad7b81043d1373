import { storeBundle } from '../bundle/bundle.ts';
import type { CapturedClosure } from '../closure/graph/closure.ts';
import { addModel, getAllModels } from '../contract/models.ts';
import { changedServing } from '../contract/serving.ts';
import { checkVersion } from '../control/names.ts';
import { imageRepository } from '../docker/labels.ts';
import { ClipperError } from '../errors.ts';
import type { ReplicaSource } from '../replicas/backend.ts';
import type { ClientRunReplicas } from './client-run-replicas.ts';
import { ModelBuild } from './model-build.ts';
import { type FunctionConfig, takesOf } from './model-function.ts';
import type { DeployConfig, Deployment, DeployTarget } from './post-deploy.ts';
import { cancelledIf, type Progress } from './progress.ts';

type Config = DeployConfig & FunctionConfig & { readonly baseImage: string; readonly registry?: unknown };

interface Deploying {
  readonly config: Config;
  readonly captured: CapturedClosure;
  readonly progress: Progress;
}

/**
 * Deploys a function to a server that starts no replicas, as Berkeley's: they are run from here, and the model is made known, and with
 * that current, when the server knows them. Throws what deployPredictFunction does.
 */
export async function deployElsewhere(
  { management }: DeployTarget,
  own: ClientRunReplicas,
  { config, captured, progress }: Deploying,
): Promise<Deployment> {
  const { name, inputType, labels, replicas: wanted, batchSize, env, resources, network, signal } = config;
  const replicas = checkSupported(config, wanted);
  const version = config.version === undefined ? await freeVersion({ management }, name) : checkVersion(config.version);
  const { source, digest } = await sourceFor(own, { config, captured, progress }, version);
  progress.report('start', `starting ${replicas} replica${replicas === 1 ? '' : 's'}`);
  const spec = { modelName: name, modelVersion: version, inputType, source, env, resources, network };
  await own.start(spec, { replicas, signal });
  const body = { model_name: name, model_version: version, input_type: inputType, labels, batch_size: batchSize };
  const container = source.kind === 'image' ? source.image : `clipper-ts/closure:${digest.slice(0, 12)}`;
  await management.call(addModel, { ...body, container_name: container, model_data_path: digest }).catch(async (error) => {
    await own.stop(name, version);
    cancelledIf(signal, name);
    throw error;
  });
  progress.report('ready', `version ${version} is serving`);
  return { name, version, digest, ...(source.kind === 'image' ? { image: source.image } : {}), replicas };
}

/** How many replicas; throws E_INVALID_OPTION for what only a server of ours does. */
function checkSupported({ sample, current, registry, ...settings }: Config, replicas: Config['replicas']): number {
  const asked = [
    ...(sample === undefined ? [] : ['sample']),
    ...(current ? [] : ['current: false']),
    ...changedServing(settings).filter((name) => name !== 'batchSize'),
    ...(registry === undefined ? [] : ['registry']),
    ...(typeof replicas === 'number' ? [] : ['replicas as a range']),
  ];
  if (asked.length === 0 && typeof replicas === 'number') return replicas;
  throw new ClipperError('E_INVALID_OPTION', `The server is not one of clipper-ts, and knows nothing of: ${asked.join(', ')}`);
}

/** The integer after the largest that is in use. */
async function freeVersion({ management }: Pick<DeployTarget, 'management'>, name: string): Promise<string> {
  const models = await management.call(getAllModels, { verbose: true });
  const versions = models.flatMap((each) => (typeof each !== 'string' && each.model_name === name ? each.model_version : []));
  const used = versions.map((version) => Number(version) || 0);
  return String(Math.max(0, ...used) + 1);
}

async function sourceFor(
  own: ClientRunReplicas,
  { config, captured, progress }: Deploying,
  version: string,
): Promise<{ readonly source: ReplicaSource; readonly digest: string }> {
  const { name, packages, signal } = config;
  if (own.backend === 'process') {
    const store = { storeDir: await own.storeDir(), takes: takesOf(config), packages, signal };
    const bundle = await storeBundle(captured, store).catch((error: unknown) => {
      cancelledIf(signal, name);
      throw error;
    });
    for (const warning of bundle.warnings) progress.warn('bundle', `warning: ${warning}`);
    return { source: { kind: 'bundle', dir: bundle.dir }, digest: bundle.digest };
  }
  await using build = await ModelBuild.prepare(captured, config, { settings: { baseImage: config.baseImage }, progress });
  const { digest } = build.bundle;
  const reference = `${imageRepository(own.cluster)}/${name}:${version}-${digest.slice(0, 12)}`;
  await build.image(version, reference);
  return { source: { kind: 'image', image: reference, isOurs: true }, digest };
}
