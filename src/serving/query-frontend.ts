import { type ServingSettings, servingDefaults } from '../contract/serving.ts';
import { modelKey } from '../control/names.ts';
import type { Registry } from '../control/registry.ts';
import type { Application, ModelVersion } from '../control/state-store.ts';
import type { Gauges, Metrics } from '../metrics/metrics.ts';
import { readRemoteError } from '../protocol/messages.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import { getOrInsert } from '../util/get-or-insert.ts';
import type { ComputationResult } from './computation.ts';
import { Deadlines } from './deadlines.ts';
import { type InputKey, inputKey, isSameInput } from './input-key.ts';
import { ModelQueue, type QueueLoad } from './model-queue.ts';
import { PredictionCache } from './prediction-cache.ts';
import { type Answer, OpenQuery, type QueryTarget } from './query.ts';
import { RecentFailures } from './recent-failures.ts';
import { type QueryOptions, queueKeyOf, type Route, Router, type ShadowRoute } from './routing.ts';
import { ShadowComputation } from './shadow.ts';
import { type ComputationOwner, SharedComputation } from './shared-computation.ts';
import { TrafficSplitter } from './traffic.ts';

/** Bounds the memory of a shadow that can't keep up. */
const maxShadowDepth = 1_000;

// Two texts of Clipper's own server; details are appended.
const noModels = 'No connected models found for query';
const tooLate = 'Failed to retrieve a prediction response within the specified latency SLO';

/** What the frontend needs of the supervisor and the autoscaler. `model` is `name:version`. */
export interface ReplicaKeeper {
  /** Why a model version has no replica; undefined if unknown. */
  whyAbsent(model: string): string | undefined;
  /** Starts a replica of a version that was scaled to zero. Returns false if none will start. */
  wake(model: string): boolean;
  /** Whether `wake` would start a replica. */
  isAsleep(model: string): boolean;
}

export interface QueryFrontendParts {
  readonly registry: Registry;
  readonly metrics: Metrics;
  readonly cacheBytes: number;
  readonly keeper: ReplicaKeeper;
  /** Called with each query that gets the default output. */
  readonly onFallback: (query: OpenQuery) => void;
}

/** Sends queries to the replicas of the linked model, and answers each within its application's objective. */
export class QueryFrontend implements Gauges, ComputationOwner {
  readonly failures = new RecentFailures();
  readonly #registry: Registry;
  readonly #metrics: Metrics;
  readonly #queues = new Map<string, ModelQueue>();
  /** By application, as the queries of one application expire in order of arrival. */
  readonly #deadlines = new WeakMap<Application, Deadlines<OpenQuery>>();
  readonly #cache: PredictionCache;
  /** Running computations by generation and input, as in the cache. */
  readonly #computing = new Map<string, Map<string, SharedComputation>>();
  readonly splitter = new TrafficSplitter();
  readonly #router: Router;
  #nextQueryId = 0;
  readonly #keeper: ReplicaKeeper;
  readonly #onFallback: (query: OpenQuery) => void;

  constructor({ registry, metrics, cacheBytes, keeper, onFallback }: QueryFrontendParts) {
    this.#registry = registry;
    this.#metrics = metrics;
    this.#keeper = keeper;
    this.#onFallback = onFallback;
    this.#cache = new PredictionCache(cacheBytes);
    const isLive = (model: string, queueKey: string): boolean =>
      (this.#queues.get(queueKey)?.replicaCount ?? 0) > 0 || keeper.isAsleep(model);
    this.#router = new Router({ registry, metrics, splitter: this.splitter, isCacheOn: this.#cache.isOn, isLive });
  }

  get cacheSize(): Gauges['cacheSize'] {
    return this.#cache.size;
  }

  get traffic(): Gauges['traffic'] {
    return this.#registry.traffics.map((traffic) => this.splitter.figuresOf(traffic));
  }

  queueDepth(model: string): number {
    return this.#queuesOf(model).reduce((sum, queue) => sum + queue.depth, 0);
  }

  batchesInFlight(model: string, replicaId: number): number {
    return this.#queuesOf(model).reduce((sum, queue) => sum + queue.batchesInFlight(replicaId), 0);
  }

  /** A version has one queue for each input type it was deployed with. */
  #queuesOf(model: string): readonly ModelQueue[] {
    return [...this.#queues].flatMap(([key, queue]) => (key.split(' ')[0] === model ? queue : []));
  }

  replicaConnected(replica: RpcReplica): void {
    this.#queueOf(replica.model, queueKeyOf(replica)).addReplica(replica);
  }

  /** The load of a version's replicas. */
  loadOf({ name, version, inputType }: Pick<ModelVersion, 'name' | 'version' | 'inputType'>): QueueLoad {
    const queue = this.#queues.get(queueKeyOf({ model: modelKey(name, version), inputType }));
    return queue?.load(performance.now()) ?? { replicas: 0, busyMs: 0, waitedShare: 0 };
  }

  #queueOf(model: string, queueKey: string): ModelQueue {
    const settings = (): ServingSettings => {
      const [name = '', version = ''] = model.split(':');
      return this.#registry.model(name, version) ?? servingDefaults;
    };
    return getOrInsert(this.#queues, queueKey, () => new ModelQueue(settings, this.#metrics.model(model)));
  }

  /** Takes a replica out of service. Resolves when it has answered everything that it was sent. */
  async drain(replica: RpcReplica): Promise<void> {
    await this.#queues.get(queueKeyOf(replica))?.drain(replica);
    this.replicaGone(replica);
  }

  replicaGone(replica: RpcReplica): void {
    this.#queues.get(queueKeyOf(replica))?.removeReplica(replica);
    for (const [key, queue] of this.#queues) if (queue.isUnused) this.#queues.delete(key);
    const registered = new Set(this.#registry.models.map(({ name, version }) => modelKey(name, version)));
    const used = new Set([...this.#queues.keys()].map((key) => key.split(' ')[0]));
    for (const model of this.#metrics.models.keys()) {
      if (!registered.has(model) && !used.has(model)) this.#metrics.models.delete(model);
    }
  }

  /** Drops all data of a deleted application. */
  forget(application: string): void {
    this.#metrics.applications.delete(application);
    this.failures.forget(application);
  }

  /** Answers inputs in their order. Throws E_UNKNOWN_VERSION for a version that the linked model doesn't have. */
  query(application: Application, inputs: readonly Uint8Array[], asked: QueryOptions = {}): Promise<readonly Answer[]> {
    const receivedAt = performance.now();
    const route = this.#router.route(application, asked);
    const { target } = route;
    const model = typeof target === 'string' ? undefined : target.model;
    return new Promise((resolve) => {
      let open = inputs.length;
      if (open === 0) resolve([]);
      const onAnswered = (query: OpenQuery): void => {
        this.#count(query, route);
        if (--open === 0) resolve(queries);
      };
      const queries = inputs.map(() => new OpenQuery(this.#nextQueryId++, { application, model, receivedAt }, onAnswered));
      if (route.shadow !== undefined) this.#copy(queries, inputs, route.shadow);
      for (const [index, query] of queries.entries()) this.#ask(query, inputs[index] as Uint8Array, target);
    });
  }

  /** Sends copies to the shadow version. */
  #copy(queries: readonly OpenQuery[], inputs: readonly Uint8Array[], { model, queueKey, stats }: ShadowRoute): void {
    const queue = this.#queues.get(queueKey);
    if (queue === undefined || queue.replicaCount === 0) this.#keeper.wake(model);
    for (const [index, query] of queries.entries()) {
      if (queue === undefined || queue.replicaCount === 0 || queue.depth > maxShadowDepth) {
        stats.shadow.dropped++;
        continue;
      }
      const copy = new ShadowComputation(query, inputs[index] as Uint8Array, stats.shadow);
      query.shadow = copy;
      queue.enqueue(copy);
    }
  }

  #count(query: OpenQuery, { outcome }: Route): void {
    const { application, fallback, answeredAt, receivedAt } = query;
    if (outcome !== undefined && !query.isCached) outcome.record(1_000 * (answeredAt - receivedAt), fallback !== undefined);
    query.shadow?.compare();
    // A failed query is kept for a while, and would keep its input alive.
    query.shadow = undefined;
    // The application may have been deleted in the meantime.
    if (this.#registry.application(application.name) === undefined) return;
    const reason = fallback?.reason ?? '';
    this.#metrics.application(application.name).answered(answeredAt, 1_000 * (answeredAt - receivedAt), reason);
    if (fallback === undefined) return;
    this.failures.add(application.name, query);
    this.#onFallback(query);
  }

  #ask(query: OpenQuery, input: Uint8Array, target: QueryTarget | string): void {
    if (typeof target === 'string') return query.fallBack({ reason: 'no_model_linked', explanation: `${noModels}: ${target}` });
    const key = target.cache === undefined ? undefined : inputKey(input);
    if (key !== undefined && this.#isKnown(query, key, target)) return;
    let queue = this.#queues.get(target.queueKey);
    if ((queue === undefined || queue.replicaCount === 0) && !this.#keeper.wake(target.model)) {
      return query.fallBack({ reason: 'no_live_replica', explanation: this.#explainAbsence(query, target) });
    }
    queue ??= this.#queueOf(target.model, target.queueKey);
    query.isEarly = queue.replicaCount === 0;
    this.#watch(query);
    if (key !== undefined && this.#join(query, key, target)) return;
    query.queuedAt = performance.now();
    const computation = new SharedComputation(query, { input, target, key }, this);
    query.computation = computation;
    if (key !== undefined) getOrInsert(this.#computing, target.generation, () => new Map()).set(key.text, computation);
    queue.enqueue(computation);
  }

  #explainAbsence({ application }: OpenQuery, { model }: QueryTarget): string {
    const known = this.#keeper.whyAbsent(model);
    const why = `the linked model has no live replica for ${application.inputType}`;
    return `${noModels}: ${why}${known === undefined ? '' : `: ${known}`}`;
  }

  /** Answers a query from the cache, if it is there. */
  #isKnown(query: OpenQuery, key: InputKey, { generation, metrics }: QueryTarget): boolean {
    const counted = this.#metrics.application(query.application.name);
    counted.cacheLookups.add();
    metrics.cacheLookups.add();
    const output = this.#cache.get(generation, key);
    if (output === undefined) return false;
    counted.cacheHits.add();
    metrics.cacheHits.add();
    query.isCached = true;
    query.answer(output);
    return true;
  }

  /** Lets a query share the computation of an identical one, unless that one may be late for it or is late already. */
  #join(query: OpenQuery, key: InputKey, { generation }: QueryTarget): boolean {
    const running = this.#computing.get(generation)?.get(key.text);
    if (running?.key === undefined || !isSameInput(running.key, key)) return false;
    if (running.deadline > query.deadline || running.deadline <= query.receivedAt) return false;
    query.isJoined = true;
    running.join(query);
    this.#metrics.application(query.application.name).joined.add();
    return true;
  }

  /** Called when a computation has ended. Settles its queries. */
  finished(computation: SharedComputation, result: ComputationResult): void {
    const { key, target, queries, receivedAt, inFlight } = computation;
    if (result.kind === 'answered') target.metrics.predictions.mark(inFlight?.answeredAt ?? receivedAt);
    if (key !== undefined) {
      this.#forget(computation, key);
      // A result that is too late for its query still serves the next one.
      if (result.kind === 'answered' && !result.output.failed) {
        this.#cache.set(target.generation, key, result.output.text, target.cache?.ttlMicros);
      }
    }
    for (const query of queries) settle(query, result);
  }

  #forget(computation: SharedComputation, { text }: InputKey): void {
    const { generation } = computation.target;
    const computing = this.#computing.get(generation);
    if (computing?.get(text) === computation) computing.delete(text);
    if (computing?.size === 0) this.#computing.delete(generation);
  }

  #watch(query: OpenQuery): void {
    getOrInsert(this.#deadlines, query.application, () => new Deadlines<OpenQuery>(expire)).add(query);
  }
}

function settle(query: OpenQuery, result: ComputationResult): void {
  if (result.kind === 'lost') return query.fallBack({ reason: 'replica_lost', explanation: `${noModels}: ${result.why}` });
  if (result.kind === 'shed') return query.fallBack({ reason: 'overloaded', explanation: `${tooLate}: ${result.why}` });
  if (!result.output.failed) return query.answer(result.output.text);
  const error = readRemoteError(result.output.text);
  query.fallBack({ reason: 'function_error', explanation: `The function failed: ${error.name}: ${error.message}`, error });
}

function expire(query: OpenQuery): void {
  const { computation, receivedAt } = query;
  const sentAt = computation?.inFlight?.sentAt;
  const waited = (performance.now() - receivedAt).toFixed(0);
  if (sentAt === undefined) {
    const why = query.isEarly ? ': no replica was there yet, and one is being started' : '';
    query.fallBack({ reason: 'slo_queued', explanation: `${tooLate}: still queued after ${waited} ms${why}` });
    // Nothing else would take it out of the queue.
    if (computation?.isWanted === false) computation.finish({ kind: 'lost', why: 'nobody waits for it any more' });
    return;
  }
  const queued = Math.max(0, sentAt - receivedAt).toFixed(0);
  query.fallBack({
    reason: 'slo_computing',
    explanation: `${tooLate}: still computing after ${waited} ms, of which ${queued} ms queued`,
  });
}
