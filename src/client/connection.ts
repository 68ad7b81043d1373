import type { ClusterInfo } from '../contract/cluster.ts';
import { shutdown } from '../contract/cluster.ts';
import type { ClusterEvent } from '../contract/events.ts';
import { FailedQuery } from '../contract/queries.ts';
import type { InputType } from '../protocol/input-types.ts';
import { resolveOptions } from '../util/options.ts';
import { z } from '../util/zod.ts';
import { bearerHeaders, keyHeaders } from './api-key.ts';
import { type BuildOptions, type BuiltModel, buildModel } from './build-model.ts';
import type { ClientRunReplicas } from './client-run-replicas.ts';
import { type DeployModelOptions, deployModel } from './deploy-model.ts';
import type { Deployment } from './deploy-target.ts';
import { type EventOptions, type FollowOptions, followEvents, readEvents } from './events.ts';
import { type FeedbackOptions, type FeedbackRecord, readFeedback, sendFeedback } from './feedback.ts';
import { followLogs, getLogs } from './logs.ts';
import { Models } from './models.ts';
import { type LogOptions, type PredictOptions, schemas } from './options.ts';
import { type FindInputType, QueryClient } from './query-client.ts';
import { checkAnswer, RestClient, type RestClientOptions } from './rest-client.ts';
import type { Trust } from './trust.ts';
import { type FailedPrediction, failedPrediction, type InputOf, type Prediction } from './wire.ts';

export interface ConnectionParts {
  readonly queryUrl: string;
  readonly managementUrl: string;
  /** The token of management, if it needs one. */
  readonly token?: string | undefined;
  /** The key that queries are sent with. */
  readonly apiKey?: string | undefined;
  /** Trusted certificates over https. */
  readonly trust?: Trust | undefined;
  /** Undefined for Berkeley's server. */
  readonly cluster: ClusterInfo | undefined;
  /** Ends the server, if this connection started it and it isn't detached. */
  readonly stopServer: (() => Promise<void>) | undefined;
  /** Runs replicas for Berkeley's server. */
  readonly ownReplicas?: ClientRunReplicas | undefined;
}

/** A connection to a Clipper server: everything that can be done with a cluster. */
export class ClipperConnection extends Models implements AsyncDisposable {
  readonly queryUrl: string;
  readonly managementUrl: string;
  readonly cluster: ClusterInfo | undefined;
  readonly management: RestClient;
  /** @internal */
  readonly ownReplicas: ClientRunReplicas | undefined;
  readonly #querying: RestClientOptions;
  readonly #query: RestClient;
  readonly #predictions: QueryClient;
  readonly #stopServer: (() => Promise<void>) | undefined;
  #closing: Promise<void> | undefined;

  constructor({ queryUrl, managementUrl, token, apiKey, trust, cluster, stopServer, ownReplicas }: ConnectionParts) {
    super();
    this.ownReplicas = ownReplicas;
    this.queryUrl = queryUrl;
    this.managementUrl = managementUrl;
    this.cluster = cluster;
    this.management = new RestClient(managementUrl, { headers: bearerHeaders(token), trust });
    this.#querying = { headers: keyHeaders(apiKey), trust };
    this.#query = new RestClient(queryUrl, { ...this.#querying, keepAlive: true });
    const findType: FindInputType = async (application) => (await this.knownApp(application)).inputType;
    this.#predictions = new QueryClient(this.#query, cluster === undefined ? undefined : findType);
    this.#stopServer = stopServer;
  }

  /** Makes an image of a function without deploying it: for `deployModel`, or to run by hand. */
  buildModel<T extends InputType, Context = undefined>(options: BuildOptions<T, Context>): Promise<BuiltModel> {
    return buildModel(this, options);
  }

  /** Deploys an image that speaks Clipper's container RPC, with the model's data in it if `modelPath` is given. */
  deployModel(options: DeployModelOptions): Promise<Deployment> {
    return deployModel(this, options);
  }

  /** The last lines that replicas wrote, each headed by the replica's name, and how ended ones ended. */
  async getLogs(options: LogOptions = {}): Promise<readonly string[]> {
    return getLogs(this.management, this.ownReplicas, resolveOptions(schemas.LogOptions, options, 'getLogs'));
  }

  /**
   * The same, of each replica the last `tailLines`, then each line as it is written, also by replicas that are started later,
   * until the signal aborts or the loop ends.
   */
  followLogs({ signal, ...options }: LogOptions & { readonly signal?: AbortSignal } = {}): AsyncGenerator<string> {
    const selection = resolveOptions(schemas.LogOptions, options, 'followLogs');
    return followLogs(this.management, this.ownReplicas, { ...selection, signal });
  }

  /** The cluster's last thousand events, oldest first. */
  getEvents(options: EventOptions = {}): Promise<readonly ClusterEvent[]> {
    return readEvents(this.management, options);
  }

  /** The same, then each event as it happens, until the signal aborts or the loop ends. */
  followEvents(options: FollowOptions = {}): AsyncGenerator<ClusterEvent> {
    return followEvents(this.management, options);
  }

  /** The query frontend's metrics, as JSON. */
  inspectInstance(): Promise<unknown> {
    return this.#query.get('/metrics', { accept: 'application/json' });
  }

  /** Stops all replicas and the server itself, even if other connections use it. */
  async stopAll(): Promise<void> {
    await this.management.call(shutdown, {});
    await this.#stopServer?.();
    await this.management.untilGone();
  }

  /**
   * Asks an application for one prediction. Throws E_UNKNOWN_APPLICATION, E_UNKNOWN_VERSION, and, before anything is sent,
   * E_INVALID_INPUT for an input that is not of the application's type.
   */
  async predict<T extends InputType = InputType>(
    application: string,
    input: InputOf<T>,
    options: PredictOptions = {},
  ): Promise<Prediction> {
    return this.#predictions.predict(application, input, resolveOptions(schemas.PredictOptions, options, 'predict'));
  }

  /** The latest queries that an application gave the default output, latest first, with what happened to each. */
  async getFailedQueries(application: string): Promise<readonly FailedPrediction[]> {
    const failed = await this.#query.get(`/${encodeURIComponent(application)}/queries`);
    return checkAnswer(z.array(FailedQuery), failed, this.queryUrl).map(failedPrediction);
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
   * Tells an application the right answer to an input. It is kept, and passed to the functions that learn from it. Throws
   * E_UNKNOWN_APPLICATION, E_INVALID_INPUT, E_INVALID_OPTION.
   */
  sendFeedback<T extends InputType = InputType>(application: string, options: FeedbackOptions<T>): Promise<void> {
    // On a new connection: a reused one may send the request twice, and then the feedback counts twice.
    return sendFeedback(new RestClient(this.queryUrl, this.#querying), application, options);
  }

  /** The feedback kept of an application, oldest first, streamed. Throws E_UNKNOWN_APPLICATION. */
  async *getFeedback<T extends InputType = InputType>(application: string): AsyncGenerator<FeedbackRecord<T>> {
    const { inputType } = await this.knownApp(application);
    yield* readFeedback(this.management, application, inputType as T);
  }

  /** Ends the connection and, if this connection started the server and it isn't detached, the server with its replicas. */
  close(): Promise<void> {
    this.#query.close();
    this.#closing ??= this.#end();
    return this.#closing;
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #end(): Promise<void> {
    await this.ownReplicas?.[Symbol.asyncDispose]();
    await this.#stopServer?.();
  }
}
