import { found } from '../contract/call.ts';
import { snakeKeys } from '../contract/case.ts';
import type { ModelStatus } from '../contract/cluster.ts';
import { getModelStatus } from '../contract/cluster.ts';
import { setReplicas, stopModels } from '../contract/deploys.ts';
import {
  addModel,
  deleteModelVersion,
  getAllModels,
  getAllReplicas,
  getModel,
  getReplica,
  setModelVersion,
} from '../contract/models.ts';
import { servingOf } from '../contract/serving.ts';
import type { TrafficReport } from '../contract/traffic.ts';
import { checkName, checkVersion } from '../control/names.ts';
import { ClipperError } from '../errors.ts';
import { resolveOptions } from '../util/options.ts';
import { Applications } from './applications.ts';
import type { ClientRunReplicas } from './client-run-replicas.ts';
import { type ModelOptions, type ReplicasOption, schemas } from './options.ts';
import { getTraffic, setTraffic, type TrafficOptions, type TrafficWeights } from './traffic.ts';
import { type ModelInfo, modelInfo, type ReplicaInfo, replicaInfo } from './wire.ts';

/** A cluster's model versions, their replicas and their traffic. */
export abstract class Models extends Applications {
  /**
   * Runs replicas for a server that doesn't run them itself.
   * @internal
   */
  abstract readonly ownReplicas: ClientRunReplicas | undefined;

  /** Registers a model version whose containers someone else starts. */
  async registerModel(options: ModelOptions): Promise<void> {
    const checked = resolveOptions(schemas.ModelOptions, options, 'registerModel');
    const { name, version, inputType, image, labels } = checked;
    await this.management.call(addModel, {
      model_name: checkName(name, 'model name'),
      model_version: checkVersion(version),
      input_type: inputType,
      container_name: image,
      model_data_path: '',
      labels,
      ...snakeKeys(servingOf(checked)),
    });
  }

  /**
   * Makes a version current: rolls forward or back. If its replicas were stopped, they are started again first. Throws
   * E_UNKNOWN_MODEL, E_INPUT_TYPE_MISMATCH, and what a deploy throws.
   */
  async setModelVersion(name: string, version: string | number): Promise<void> {
    await this.management.call(setModelVersion, { model_name: name, model_version: checkVersion(version) });
  }

  /** How many replicas of a version are connected. Default: of the current version. */
  async getNumReplicas(name: string, version?: string | number): Promise<number> {
    const wanted = await this.#versionOrCurrent(name, version);
    const replicas = await this.getAllModelReplicas();
    return replicas.filter((replica) => replica.name === name && replica.version === wanted).length;
  }

  /** Sets how many replicas a version has; `{ min, max }` lets the server scale with the load. Resolves once they serve. */
  async setNumReplicas(name: string, replicas: ReplicasOption, version?: string | number): Promise<void> {
    const wanted = await this.#versionOrCurrent(name, version);
    if (this.ownReplicas !== undefined && typeof replicas === 'number') {
      return this.ownReplicas.setNumReplicas(name, wanted, replicas);
    }
    await this.management.call(setReplicas, { name, version: wanted, replicas });
  }

  /** Every model version. */
  async getAllModels(): Promise<readonly ModelInfo[]> {
    const all = await this.management.call(getAllModels, { verbose: true });
    return all.flatMap((each) => (typeof each === 'string' ? [] : modelInfo(each)));
  }

  /** One model version; undefined if there is none. */
  async getModelInfo(name: string, version: string | number): Promise<ModelInfo | undefined> {
    const body = { model_name: name, model_version: String(version) };
    const model = found(await this.management.call(getModel, body));
    return model === undefined ? undefined : modelInfo(model);
  }

  /** Every connected replica. */
  async getAllModelReplicas(): Promise<readonly ReplicaInfo[]> {
    const all = await this.management.call(getAllReplicas, { verbose: true });
    return all.flatMap((each) => (typeof each === 'string' ? [] : replicaInfo(each)));
  }

  /** One connected replica; undefined if there is none. */
  async getModelReplicaInfo(name: string, version: string | number, replicaId: number): Promise<ReplicaInfo | undefined> {
    const body = { model_name: name, model_version: String(version), replica_id: replicaId };
    const replica = found(await this.management.call(getReplica, body));
    return replica === undefined ? undefined : replicaInfo(replica);
  }

  /**
   * Splits a model's queries between versions: `{ '1': 0.9, '2': 0.1 }`; undefined ends the split. Queries with the same `key` go
   * to the same version. A `shadow` version computes copies of the queries, and a `rule` promotes the version beside the current
   * one or gives it up. Throws E_INVALID_OPTION, E_UNKNOWN_MODEL, E_INPUT_TYPE_MISMATCH.
   */
  setTraffic(name: string, weights: TrafficWeights | undefined, options: TrafficOptions = {}): Promise<void> {
    return setTraffic(this.management, name, { weights, options });
  }

  /** How a model's queries are split, and the outcome; undefined if they all go to the current version. */
  getTraffic(name: string): Promise<TrafficReport | undefined> {
    return getTraffic(this.management, name);
  }

  /** Every model with its versions, and their replicas: wanted, connected, or given up and why. */
  async getModelStatus(): Promise<readonly ModelStatus[]> {
    return this.management.read(getModelStatus);
  }

  /** Stops every replica of these models. The models stay registered. Throws E_UNKNOWN_MODEL. */
  async stopModels(names: string | readonly string[]): Promise<void> {
    const wanted = [names].flat();
    await this.#stop(({ name }) => wanted.includes(name), wanted);
  }

  /** Stops the replicas of some versions: `{ digits: ['1', '2'] }`. Throws E_UNKNOWN_MODEL for a model that doesn't exist. */
  async stopVersionedModels(versions: Readonly<Record<string, readonly (string | number)[]>>): Promise<void> {
    await this.#stop(({ name, version }) => versions[name]?.map(String).includes(version) === true, Object.keys(versions));
  }

  /** Stops the replicas of all versions of these models but the current one. Throws E_UNKNOWN_MODEL. */
  async stopInactiveModelVersions(names: string | readonly string[]): Promise<void> {
    const inactiveOf = [names].flat();
    // The server knows which version is current at that moment.
    if (this.ownReplicas === undefined) await this.management.call(stopModels, { inactiveOf });
    else await this.#stop(({ name, isCurrent }) => inactiveOf.includes(name) && !isCurrent);
  }

  /** Stops every replica. The models stay registered. */
  async stopAllModelContainers(): Promise<void> {
    await this.#stop(() => true);
  }

  /** Deletes some versions, with their replicas: `{ digits: ['1', '2'] }`. Throws E_UNKNOWN_MODEL. */
  async unregisterVersionedModels(versions: Readonly<Record<string, readonly (string | number)[]>>): Promise<void> {
    for (const [name, each] of Object.entries(versions)) {
      for (const version of each) {
        await this.management.call(deleteModelVersion, { model_name: name, model_version: String(version) });
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
    await this.management.call(stopModels, { models });
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
