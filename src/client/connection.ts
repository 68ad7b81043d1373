import type { ClusterEvent } from '../control/cluster-event.ts';
import { checkName, checkVersion } from '../control/names.ts';
import { ClipperError } from '../errors.ts';
import type { ClusterInfo } from '../http/cluster-routes.ts';
import type { ModelStatus } from '../http/status-routes.ts';
import type { TrafficReport } from '../http/traffic-routes.ts';
import type { InputType } from '../protocol/input-types.ts';
import { resolveOptions } from '../util/options.ts';
import { bearerHeaders, keyHeaders } from './api-key.ts';
import { type BuildOptions, type BuiltModel, buildModel } from './build-model.ts';
import { type DeployModelOptions, deployModel } from './deploy-model.ts';
import { type EventOptions, type FollowOptions, followEvents, readEvents } from './events.ts';
import { type FeedbackOptions, type FeedbackRecord, readFeedback, sendFeedback } from './feedback.ts';
import {
  type ApplicationOptions,
  type LogOptions,
  type ModelOptions,
  type PredictOptions,
  type ReplicasOption,
  schemas,
} from './options.ts';
import type { OwnReplicas } from './own-replicas.ts';
import type { Deployment } from './post-deploy.ts';
import { type FindInputType, QueryClient } from './query-client.ts';
import { RestClient, type RestClientOptions } from './rest-client.ts';
import { getTraffic, setTraffic, type TrafficOptions, type TrafficWeights } from './traffic.ts';
import type { Trust } from './trust.ts';
import {
  type ApplicationInfo,
  applicationInfo,
  type FailedPrediction,
  failedPrediction,
  type InputOf,
  type ModelInfo,
  modelInfo,
  type Prediction,
  type ReplicaInfo,
  replicaInfo,
  type WireApplication,
  type WireFailure,
  type WireModel,
  type WireReplica,
} from './wire.ts';

export interface ConnectionParts {
  readonly queryUrl: string;
  readonly managementUrl: string;
  /** What management asks for, if it does. */
  readonly token?: string | undefined;
  /** What queries are asked with. */
  readonly apiKey?: string | undefined;
  /** Whom it trusts over https. */
  readonly trust?: Trust | undefined;
  /** Undefined for a server that isn't ours. */
  readonly cluster: ClusterInfo | undefined;
  /** Ends the server, where this connection started it and it isn't detached. */
  readonly stopServer: (() => Promise<void>) | undefined;
  /** Runs replicas for a server that isn't ours. */
  readonly ownReplicas?: OwnReplicas | undefined;
}

/** A connection to a Clipper server: everything that can be done with a cluster. */
export class ClipperConnection implements AsyncDisposable {
  readonly queryUrl: string;
  readonly managementUrl: string;
  readonly cluster: ClusterInfo | undefined;
  readonly management: RestClient;
  /** @internal */
  readonly ownReplicas: OwnReplicas | undefined;
  readonly #querying: RestClientOptions;
  readonly #query: RestClient;
  readonly #predictions: QueryClient;
  readonly #stopServer: (() => Promise<void>) | undefined;
  #closing: Promise<void> | undefined;

  constructor({ queryUrl, managementUrl, token, apiKey, trust, cluster, stopServer, ownReplicas }: ConnectionParts) {
    this.ownReplicas = ownReplicas;
    this.queryUrl = queryUrl;
    this.managementUrl = managementUrl;
    this.cluster = cluster;
    this.management = new RestClient(managementUrl, { headers: bearerHeaders(token), trust });
    this.#querying = { headers: keyHeaders(apiKey), trust };
    this.#query = new RestClient(queryUrl, { ...this.#querying, keepAlive: true });
    const findType: FindInputType = async (application) => (await this.#knownApp(application)).inputType;
    this.#predictions = new QueryClient(this.#query, cluster === undefined ? undefined : findType);
    this.#stopServer = stopServer;
  }

  /** Makes a REST endpoint, and links it to a model where one is named. Throws E_INVALID_OPTION, E_REFUSED. */
  async registerApplication(options: ApplicationOptions): Promise<void> {
    const { name, inputType, defaultOutput, sloMicros, model, cache } = resolveOptions(
      schemas.ApplicationOptions,
      options,
      'registerApplication',
    );
    checkName(name, 'application name');
    const body = { name, input_type: inputType, default_output: defaultOutput, latency_slo_micros: sloMicros };
    if (this.cluster !== undefined) {
      const linked = model === undefined ? {} : { linked_models: [model] };
      await this.management.post('/admin/add_app', { ...body, cache, ...linked });
      return;
    }
    await this.management.post('/admin/add_app', body);
    if (model === undefined) return;
    await this.linkModelToApp(name, model).catch(async (error: unknown) => {
      await this.unregisterApplication(name);
      throw error;
    });
  }

  async unregisterApplication(name: string): Promise<void> {
    await this.management.post('/admin/delete_app', { name });
  }

  /** Sends an application's queries to the current version of a model. */
  async linkModelToApp(application: string, model: string): Promise<void> {
    await this.management.post('/admin/add_model_links', { app_name: application, model_names: [model] });
  }

  async unlinkModelFromApp(application: string, model: string): Promise<void> {
    await this.management.post('/admin/delete_model_links', { app_name: application, model_names: [model] });
  }

  /**
   * Makes a key of an application, whose queries need one of its keys from then on. It is kept nowhere: what is lost is
   * replaced. Throws E_UNKNOWN_APPLICATION.
   */
  async createApiKey(application: string): Promise<string> {
    return ((await this.management.post('/admin/v1/api-keys', { application })) as { key: string }).key;
  }

  /** Takes a key back; without keys, an application answers all. Throws E_UNKNOWN_APPLICATION, E_INVALID_OPTION for what is no key of it. */
  async deleteApiKey(application: string, key: string): Promise<void> {
    await this.management.post('/admin/v1/api-keys/delete', { application, key });
  }

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

  /** Makes an image of a function, without deploying it: for `deployModel`, or to be run by hand. */
  buildModel<T extends InputType, Context = undefined>(options: BuildOptions<T, Context>): Promise<BuiltModel> {
    return buildModel(this, options);
  }

  /** Deploys an image that speaks Clipper's container RPC, with the model's data in it where `modelPath` is given. */
  deployModel(options: DeployModelOptions): Promise<Deployment> {
    return deployModel(this, options);
  }

  /**
   * Makes a version the current one: rolls forward or back. One whose replicas were stopped is started again from what it was
   * deployed from, and is current when they are ready. Throws E_REFUSED.
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

  async getAllApps(): Promise<readonly ApplicationInfo[]> {
    const all = (await this.management.post('/admin/get_all_applications', { verbose: true })) as readonly WireApplication[];
    return all.map(applicationInfo);
  }

  async getAppInfo(name: string): Promise<ApplicationInfo | undefined> {
    const found = (await this.management.post('/admin/get_application', { name })) as Partial<WireApplication>;
    return found.name === undefined ? undefined : applicationInfo(found as WireApplication);
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

  async getLinkedModels(application: string): Promise<readonly string[]> {
    return (await this.management.post('/admin/get_linked_models', { app_name: application })) as readonly string[];
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

  /** The last lines that replicas wrote, each headed by the replica's name. */
  async getLogs(options: LogOptions = {}): Promise<readonly string[]> {
    const selection = resolveOptions(schemas.LogOptions, options, 'getLogs');
    if (this.ownReplicas !== undefined) return this.ownReplicas.logs(selection);
    return (await this.management.post('/admin/v1/logs', selection)) as readonly string[];
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

  /** What happened to the cluster, oldest first: the last thousand events. */
  getEvents(options: EventOptions = {}): Promise<readonly ClusterEvent[]> {
    return readEvents(this.management, options);
  }

  /** The same, and then each event as it happens, until the signal aborts or the loop over it is left. */
  followEvents(options: FollowOptions = {}): AsyncGenerator<ClusterEvent> {
    return followEvents(this.management, options);
  }

  /** The query frontend's metrics, as JSON. */
  inspectInstance(): Promise<unknown> {
    return this.#query.get('/metrics', { accept: 'application/json' });
  }

  /** Stops every replica of these models. The models stay registered. */
  async stopModels(names: string | readonly string[]): Promise<void> {
    const wanted = [names].flat();
    await this.#stop(({ name }) => wanted.includes(name));
  }

  /** Stops the replicas of some versions: `{ digits: ['1', '2'] }`. */
  async stopVersionedModels(versions: Readonly<Record<string, readonly (string | number)[]>>): Promise<void> {
    await this.#stop(({ name, version }) => versions[name]?.map(String).includes(version) === true);
  }

  /** Stops the replicas of all versions of these models but the current one. */
  async stopInactiveModelVersions(names: string | readonly string[]): Promise<void> {
    const wanted = [names].flat();
    await this.#stop(({ name, isCurrent }) => wanted.includes(name) && !isCurrent);
  }

  async stopAllModelContainers(): Promise<void> {
    await this.#stop(() => true);
  }

  /** Stops all replicas and the server itself, also one that other connections use. */
  async stopAll(): Promise<void> {
    await this.management.post('/admin/v1/shutdown', {});
    await this.#stopServer?.();
    await this.management.untilGone();
  }

  /**
   * Asks an application for one prediction. Throws E_UNKNOWN_APPLICATION, E_UNKNOWN_VERSION, and E_INVALID_INPUT for an
   * input that is not of the application's type, before it is sent.
   */
  async predict<T extends InputType = InputType>(
    application: string,
    input: InputOf<T>,
    options: PredictOptions = {},
  ): Promise<Prediction> {
    return this.#predictions.predict(application, input, resolveOptions(schemas.PredictOptions, options, 'predict'));
  }

  /** The latest default outputs that an application gave, the last one first, with what happened to each query. */
  async getFailedQueries(application: string): Promise<readonly FailedPrediction[]> {
    const failed = (await this.#query.get(`/${encodeURIComponent(application)}/queries`)) as readonly WireFailure[];
    return failed.map(failedPrediction);
  }

  /** Asks for one prediction for each input, in their order. */
  async predictBatch<T extends InputType = InputType>(
    application: string,
    inputs: readonly InputOf<T>[],
    options: PredictOptions = {},
  ): Promise<readonly Prediction[]> {
    return this.#predictions.predictBatch(application, inputs, resolveOptions(schemas.PredictOptions, options, 'predictBatch'));
  }

  /**
   * Tells an application what would have been right for an input: it is kept, and given to the functions that learn from
   * it. Throws E_UNKNOWN_APPLICATION, E_INVALID_INPUT, E_INVALID_OPTION.
   */
  sendFeedback<T extends InputType = InputType>(application: string, options: FeedbackOptions<T>): Promise<void> {
    // Not on connections that are used again: a request that is sent twice would be feedback twice.
    return sendFeedback(new RestClient(this.queryUrl, this.#querying), application, options);
  }

  /** The feedback that is kept of an application, oldest first, as it comes. Throws E_UNKNOWN_APPLICATION. */
  async *getFeedback<T extends InputType = InputType>(application: string): AsyncGenerator<FeedbackRecord<T>> {
    const { inputType } = await this.#knownApp(application);
    yield* readFeedback(this.management, application, inputType as T);
  }

  /** Ends the connection and, where this connection started it and it isn't detached, the server with its replicas. */
  close(): Promise<void> {
    this.#query.close();
    this.#closing ??= this.#end();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #end(): Promise<void> {
    await this.ownReplicas?.[Symbol.asyncDispose]();
    await this.#stopServer?.();
  }

  async #knownApp(name: string): Promise<ApplicationInfo> {
    const found = await this.getAppInfo(name);
    if (found !== undefined) return found;
    throw new ClipperError('E_UNKNOWN_APPLICATION', `No application with name '${name}' exists`);
  }

  async #stop(isWanted: (model: ModelInfo) => boolean): Promise<void> {
    const models = (await this.getAllModels()).filter(isWanted).map(({ name, version }) => ({ name, version }));
    const { ownReplicas } = this;
    if (ownReplicas !== undefined) {
      await Promise.all(models.map(({ name, version }) => ownReplicas.stop(name, version)));
      return;
    }
    await this.management.post('/admin/v1/stop', { models });
  }

  async #versionOrCurrent(name: string, version: string | number | undefined): Promise<string> {
    if (version !== undefined) return String(version);
    const current = (await this.getAllModels()).find((model) => model.name === name && model.isCurrent);
    if (current !== undefined) return current.version;
    throw new ClipperError('E_UNKNOWN_MODEL', `No model with name '${name}' exists`);
  }
}
