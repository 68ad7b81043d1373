import { modelKey } from '../control/names.ts';
import type { Registry } from '../control/registry.ts';
import type { Application } from '../control/state-store.ts';
import { ClipperError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { InputType } from '../protocol/input-types.ts';
import { readRemoteError } from '../protocol/messages.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import { policyFor } from './batch-size.ts';
import { Deadlines } from './deadlines.ts';
import { ModelQueue, type QueryResult, type WaitingQuery } from './model-queue.ts';
import { PredictionCache } from './prediction-cache.ts';

/** Why a query was given the application's default output. */
export type DefaultReason =
  | 'no_model_linked'
  | 'no_live_replica'
  | 'slo_queued'
  | 'slo_computing'
  | 'function_error'
  | 'replica_lost';

/** The answer to one query: a prediction, or the default output with the reason. */
export interface Answer {
  readonly queryId: number;
  /** The replica's text, or the application's default output. */
  readonly output: string;
  readonly fallback: { readonly reason: DefaultReason; readonly explanation: string } | undefined;
}

/** Where an application's queries go. */
interface Target {
  readonly queue: ModelQueue;
  /** Tells apart what ran under one name and version at different times. */
  readonly generation: string;
}

interface OpenQuery extends WaitingQuery {
  fallBack(reason: DefaultReason, explanation: string): void;
}

// Clipper's own two texts; what happened is added behind them.
const noModels = 'No connected models found for query';
const tooLate = 'Failed to retrieve a prediction response within the specified latency SLO';

/** Takes queries to the replicas of the linked model and answers each within its application's objective. */
export class QueryFrontend {
  readonly #registry: Registry;
  readonly #metrics: Metrics;
  readonly #queues = new Map<string, ModelQueue>();
  /** By application and objective: one application's queries expire in the order in which they came. */
  readonly #deadlines = new Map<string, Deadlines<OpenQuery>>();
  readonly #cache: PredictionCache;
  #nextQueryId = 0;

  constructor(registry: Registry, metrics: Metrics, cacheBytes: number) {
    this.#registry = registry;
    this.#metrics = metrics;
    this.#cache = new PredictionCache(cacheBytes);
  }

  replicaConnected(replica: RpcReplica): void {
    this.#queueOf(replica).addReplica(replica);
  }

  replicaGone(replica: RpcReplica): void {
    this.#queueOf(replica).removeReplica(replica);
  }

  /** Answers inputs in their order. Throws E_UNKNOWN_VERSION for a version that the linked model doesn't have. */
  query(application: Application, inputs: readonly Uint8Array[], version?: string): Promise<readonly Answer[]> {
    const target = this.#target(application, version);
    return Promise.all(inputs.map((input) => this.#ask(application, input, target)));
  }

  close(): void {
    for (const deadlines of this.#deadlines.values()) deadlines.close();
  }

  #target({ name, inputType }: Application, requested: string | undefined): Target | string {
    const [model] = this.#registry.linkedModels(name);
    if (model === undefined) return `no model is linked to '${name}'`;
    if (requested !== undefined && this.#registry.model(model, requested) === undefined) {
      const message = `Requested version: ${requested} does not exist for model: ${model}`;
      throw new ClipperError('E_UNKNOWN_VERSION', message);
    }
    const version = requested ?? this.#registry.currentVersion(model);
    if (version === undefined || this.#registry.model(model, version) === undefined) {
      return `the current version of the linked model '${model}' was deleted`;
    }
    const generation = `${modelKey(model, version)} ${this.#registry.generation(model, version)}`;
    return { queue: this.#queue(model, version, inputType), generation };
  }

  #queueOf({ modelName, modelVersion, inputType }: RpcReplica): ModelQueue {
    return this.#queue(modelName, modelVersion, inputType);
  }

  /** By input type as well: a replica that announces another type than the application's must not get its inputs. */
  #queue(name: string, version: string, inputType: InputType): ModelQueue {
    const model = modelKey(name, version);
    const key = `${model} ${inputType}`;
    const known = this.#queues.get(key);
    if (known !== undefined) return known;
    const queue = new ModelQueue(
      () => policyFor(this.#registry.model(name, version)?.batchSize ?? -1),
      (size) => this.#metrics.batched(model, size),
    );
    this.#queues.set(key, queue);
    return queue;
  }

  #ask(application: Application, input: Uint8Array, target: Target | string): Promise<Answer> {
    return new Promise((resolve) => {
      const key = typeof target === 'string' || !this.#cache.isOn ? undefined : this.#cache.key(target.generation, input);
      const query = this.#open(application, { input, key, resolve });
      const cached = key === undefined ? undefined : this.#cache.get(key);
      if (cached !== undefined) query.settle({ kind: 'answered', output: { text: cached, failed: false } });
      else if (typeof target === 'string') query.fallBack('no_model_linked', `${noModels}: ${target}`);
      else if (target.queue.replicaCount === 0) {
        query.fallBack('no_live_replica', `${noModels}: the linked model has no live replica for ${application.inputType}`);
      } else {
        this.#watch(application, query);
        target.queue.enqueue(query);
      }
    });
  }

  #open(
    application: Application,
    { input, key, resolve }: { input: Uint8Array; key: string | undefined; resolve: (answer: Answer) => void },
  ): OpenQuery {
    const queryId = this.#nextQueryId++;
    const receivedAt = performance.now();
    const answer = (output: string, fallback: Answer['fallback']): void => {
      if (query.isSettled) return;
      query.isSettled = true;
      this.#metrics.predicted(application.name, (performance.now() - receivedAt) / 1_000, fallback?.reason);
      resolve({ queryId, output, fallback });
    };
    const query: OpenQuery = {
      input,
      receivedAt,
      deadline: receivedAt + application.latencySloMicros / 1_000,
      sentAt: undefined,
      isSettled: false,
      isRetried: false,
      fallBack: (reason, explanation) => answer(application.defaultOutput, { reason, explanation }),
      settle: (result) => {
        // A result that comes too late for its query still serves the next one.
        if (key !== undefined && result.kind === 'answered' && !result.output.failed) this.#cache.set(key, result.output.text);
        settle(query, result, answer);
      },
    };
    return query;
  }

  #watch(application: Application, query: OpenQuery): void {
    const key = `${application.name} ${application.latencySloMicros}`;
    const deadlines = this.#deadlines.get(key) ?? new Deadlines(expire);
    this.#deadlines.set(key, deadlines);
    deadlines.add(query);
  }
}

function settle(query: OpenQuery, result: QueryResult, answer: (output: string, fallback: undefined) => void): void {
  if (result.kind === 'lost') return query.fallBack('replica_lost', `${noModels}: ${result.why}`);
  if (!result.output.failed) return answer(result.output.text, undefined);
  const { name, message } = readRemoteError(result.output.text);
  return query.fallBack('function_error', `The function failed: ${name}: ${message}`);
}

function expire(query: OpenQuery): void {
  const waited = (performance.now() - query.receivedAt).toFixed(0);
  if (query.sentAt === undefined) return query.fallBack('slo_queued', `${tooLate}: still queued after ${waited} ms`);
  const queued = (query.sentAt - query.receivedAt).toFixed(0);
  return query.fallBack('slo_computing', `${tooLate}: still computing after ${waited} ms, of which ${queued} ms queued`);
}
