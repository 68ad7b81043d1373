import { checkName, checkVersion } from '../control/names.ts';
import { ClipperError } from '../errors.ts';
import type { ModelStatus } from '../http/management/status-routes.ts';
import type { TrafficReport } from '../http/management/traffic-routes.ts';
import { resolveOptions } from '../util/options.ts';
import { Applications } from './applications.ts';
import type { ClientRunReplicas } from './client-run-replicas.ts';
import { type ModelOptions, type ReplicasOption, schemas } from './options.ts';
import { getTraffic, setTraffic, type TrafficOptions, type TrafficWeights } from './traffic.ts';
import { type ModelInfo, modelInfo, type ReplicaInfo, replicaInfo, type WireModel, type WireReplica } from './wire.ts';

/** What can be done with the model versions of a cluster, their replicas and their traffic. */
export abstract class Models extends Applications {
  /**
   * Runs replicas for a server that runs none.
   * @internal
   */
  abstract readonly ownReplicas: ClientRunReplicas | undefined;

  /** Makes a model version known whose containers are started by someone else. */
  async registerModel(options: ModelOptions): Promise<void> {
    const checked = resolveOptions(schemas.ModelOptions, options, 'registerModel');
    const { name, version, inputType, image, labels, batchSize, batchDelayMicros, hedge, cache } = checked;
    await this.management.post('/admin/add_model', {
      model_name: checkName(name, 'model name'),
      model_version: checkVersion(version),
      input_type: inputType,
      container_name: image,
      model_data_path: '',
      labels,
      batch_size: batchSize,
      batch_delay_micros: batchDelayMicros,
      hedge,
      cache: typeof cache === 'boolean' ? cache : { ttl_micros: cache.ttlMicros },
    });
  }

  /**
   * Makes a version the current one: rolls forward or back. One whose replicas were stopped is started again from what it was
   * deployed from, and is current when they are ready. Throws E_UNKNOWN_MODEL, E_INPUT_TYPE_MISMATCH, and as a deploy does.
   */
  async setModelVersion(name: string, version: string | number): Promise<void> {
    await this.management.post('/admin/set_model_version', { model_name: name, model_version: checkVersion(version) });
  }

  /** How many replicas of a version are connected; of the current version where none is named. */
  async getNumReplicas(name: string, version?: string | number): Promise<number> {
    const wanted = await this.#versionOrCurrent(name, version);
    const replicas = await this.getAllModelReplicas();
    return replicas.filter((replica) => replica.name === name && replica.version === wanted).length;
  }

  /** Starts or stops replicas of a version, or has the server do so with the load: `{ min, max }`; resolves when they serve. */
  async setNumReplicas(name: string, replicas: ReplicasOption, version?: string | number): Promise<void> {
    const wanted = await this.#versionOrCurrent(name, version);
    if (this.ownReplicas !== undefined && typeof replicas === 'number') {
      return this.ownReplicas.setNumReplicas(name, wanted, replicas);
    }
    await this.management.post('/admin/v1/replicas', { name, version: wanted, replicas });
  }

  async getAllModels(): Promise<readonly ModelInfo[]> {
    const all = (await this.management.post('/admin/get_all_models', { verbose: true })) as readonly WireModel[];
    return all.map(modelInfo);
  }

  async getModelInfo(name: string, version: string | number): Promise<ModelInfo | undefined> {
    const body = { model_name: name, model_version: String(version) };
    const found = (await this.management.post('/admin/get_model', body)) as Partial<WireModel>;
    return found.model_name === undefined ? undefined : modelInfo(found as WireModel);
  }

  async getAllModelReplicas(): Promise<readonly ReplicaInfo[]> {
    const all = (await this.management.post('/admin/get_all_containers', { verbose: true })) as readonly WireReplica[];
    return all.map(replicaInfo);
  }

  async getModelReplicaInfo(name: string, version: string | number, replicaId: number): Promise<ReplicaInfo | undefined> {
    const body = { model_name: name, model_version: String(version), replica_id: replicaId };
    const found = (await this.management.post('/admin/get_container', body)) as Partial<WireReplica>;
    return found.model_name === undefined ? undefined : replicaInfo(found as WireReplica);
  }

  /**
   * Splits a model's queries between versions: `{ '1': 0.9, '2': 0.1 }`; undefined: all go to the current one. Queries with the same
   * `key` go to the same version. Another may compute copies as a `shadow`, and a `rule` may promote the version beside the current
   * one, or give it up. Throws E_INVALID_OPTION, E_UNKNOWN_MODEL, E_INPUT_TYPE_MISMATCH.
   */
  setTraffic(name: string, weights: TrafficWeights | undefined, options: TrafficOptions = {}): Promise<void> {
    return setTraffic(this.management, name, { weights, options });
  }

  /** How a model's queries are split and what came of it; undefined where all go to the current version. */
  getTraffic(name: string): Promise<TrafficReport | undefined> {
    return getTraffic(this.management, name);
  }

  /** Every model with its versions, and their replicas: wanted, connected, or given up and why. */
  async getModelStatus(): Promise<readonly ModelStatus[]> {
    return (await this.management.get('/admin/v1/models')) as readonly ModelStatus[];
  }

  /** Stops every replica of these models. The models stay registered. Throws E_UNKNOWN_MODEL. */
  async stopModels(names: string | readonly string[]): Promise<void> {
    const wanted = [names].flat();
    await this.#stop(({ name }) => wanted.includes(name), wanted);
  }

  /** Stops the replicas of some versions: `{ digits: ['1', '2'] }`. Throws E_UNKNOWN_MODEL for a model that is not there. */
  async stopVersionedModels(versions: Readonly<Record<string, readonly (string | number)[]>>): Promise<void> {
    await this.#stop(({ name, version }) => versions[name]?.map(String).includes(version) === true, Object.keys(versions));
  }

  /** Stops the replicas of all versions of these models but the current one. Throws E_UNKNOWN_MODEL. */
  async stopInactiveModelVersions(names: string | readonly string[]): Promise<void> {
    const inactiveOf = [names].flat();
    // The server knows which one is current when it does.
    if (this.ownReplicas === undefined) await this.management.post('/admin/v1/stop', { inactiveOf });
    else await this.#stop(({ name, isCurrent }) => inactiveOf.includes(name) && !isCurrent);
  }

  async stopAllModelContainers(): Promise<void> {
    await this.#stop(() => true);
  }

  /** Deletes some versions, with their replicas: `{ digits: ['1', '2'] }`. Throws E_UNKNOWN_MODEL. */
  async unregisterVersionedModels(versions: Readonly<Record<string, readonly (string | number)[]>>): Promise<void> {
    for (const [name, each] of Object.entries(versions)) {
      for (const version of each) {
        await this.management.post('/admin/delete_versioned_model', { model_name: name, model_version: String(version) });
        await this.ownReplicas?.stop(name, String(version));
      }
    }
  }

  async #stop(isWanted: (model: ModelInfo) => boolean, named: readonly string[] = []): Promise<void> {
    const all = await this.getAllModels();
    const unknown = named.find((each) => all.every(({ name }) => name !== each));
    if (unknown !== undefined) throw new ClipperError('E_UNKNOWN_MODEL', `No model with name '${unknown}' exists`);
    const models = all.filter(isWanted).map(({ name, version }) => ({ name, version }));
    const { ownReplicas } = this;
    if (ownReplicas !== undefined) {
      await Promise.all(models.map(({ name, version }) => ownReplicas.stop(name, version)));
      return;
    }
    await this.management.post('/admin/v1/stop', { models });
  }

  async #versionOrCurrent(name: string, version: string | number | undefined): Promise<string> {
    if (version !== undefined) return String(version);
    const versions = (await this.getAllModels()).filter((model) => model.name === name);
    const current = versions.find(({ isCurrent }) => isCurrent);
    if (current !== undefined) return current.version;
    const message =
      versions.length === 0
        ? `No model with name '${name}' exists`
        : `No version of model '${name}' is current; name one of ${versions.map((each) => each.version).join(', ')}`;
    throw new ClipperError('E_UNKNOWN_MODEL', message);
  }
}
