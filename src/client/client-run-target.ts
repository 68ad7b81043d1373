import { backends } from '../contract/backends.ts';
import { addModel, getAllModels } from '../contract/models.ts';
import { changedServing } from '../contract/serving.ts';
import { ClipperError } from '../errors.ts';
import type { ReplicaSource } from '../replicas/backend.ts';
import type { ClientRunReplicas } from './client-run-replicas.ts';
import {
  type Artifact,
  type CheckedConfig,
  type DeployTarget,
  printCount,
  type Started,
  type StartParts,
} from './deploy-target.ts';
import { cancelledIf } from './progress.ts';
import type { RestClient } from './rest-client.ts';

/**
 * Deploys to a server that starts no replicas, such as Berkeley's: they run from this process. The model is registered, and with
 * that
 * current, once the server knows its replicas.
 */
export class ClientRunTarget implements DeployTarget {
  readonly assignsVersions = false;
  readonly #management: RestClient;
  readonly #replicas: ClientRunReplicas;

  constructor(management: RestClient, replicas: ClientRunReplicas) {
    this.#management = management;
    this.#replicas = replicas;
  }

  get runs(): DeployTarget['runs'] {
    return backends[this.#replicas.backend].runs;
  }

  get imageOwner(): string {
    return this.#replicas.cluster;
  }

  check({ sample, current, registry, replicas, ...settings }: CheckedConfig): void {
    const asked = [
      ...(sample === undefined ? [] : ['sample']),
      ...(current ? [] : ['current: false']),
      ...changedServing(settings).filter((name) => name !== 'batchSize'),
      ...(registry === undefined ? [] : ['registry']),
      ...(typeof replicas === 'number' ? [] : ['replicas as a range']),
    ];
    if (asked.length === 0) return;
    throw new ClipperError('E_INVALID_OPTION', `The server is not one of clipper-ts, and knows nothing of: ${asked.join(', ')}`);
  }

  storeDir(): Promise<string> {
    return this.#replicas.storeDir();
  }

  /** Its containers run on the engine where images are made. */
  checkEngine(): void {}

  /** The integer after the largest that is in use. */
  async nextVersion(name: string): Promise<string> {
    const models = await this.#management.call(getAllModels, { verbose: true });
    const versions = models.flatMap((each) => (typeof each !== 'string' && each.model_name === name ? each.model_version : []));
    return String(Math.max(0, ...versions.map((version) => Number(version) || 0)) + 1);
  }

  async start(artifact: Artifact, { config, version = '', progress }: StartParts): Promise<Started> {
    const { name, inputType, labels, batchSize, env, resources, network, signal } = config;
    const replicas = Number(config.replicas);
    const { digest = '' } = artifact;
    const source: ReplicaSource =
      artifact.kind === 'bundle'
        ? { kind: 'bundle', dir: artifact.dir }
        : { kind: 'image', image: artifact.image, isOurs: artifact.digest !== undefined };
    progress.report('start', `starting ${printCount(replicas)}`);
    const spec = { modelName: name, modelVersion: version, inputType, source, env, resources, network };
    await this.#replicas.start(spec, { replicas, signal });
    const body = { model_name: name, model_version: version, input_type: inputType, labels, batch_size: batchSize };
    const container = source.kind === 'image' ? source.image : `clipper-ts/closure:${digest.slice(0, 12)}`;
    await this.#management
      .call(addModel, { ...body, container_name: container, model_data_path: digest })
      .catch(async (error: unknown) => {
        await this.#replicas.stop(name, version);
        cancelledIf(signal, name);
        throw error;
      });
    progress.report('ready', `version ${version} is serving`);
    return { version, digest };
  }
}
