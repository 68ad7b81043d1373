import { modelKey } from '../control/names.ts';
import type { Registry } from '../control/registry.ts';
import type { Application, ModelVersion } from '../control/state-store.ts';
import { ClipperError } from '../errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { readRemoteError } from '../protocol/messages.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import { obtain } from '../util/obtain.ts';
import type { ComputationResult } from './computation.ts';
import { Deadlines } from './deadlines.ts';
import { type InputKey, inputKey, isSameInput } from './input-key.ts';
import { ModelQueue, type QueueSettings } from './model-queue.ts';
import { PredictionCache } from './prediction-cache.ts';
import { type Answer, OpenQuery, type Target } from './query.ts';
import { RecentFailures } from './recent-failures.ts';
import { type ComputationOwner, SharedComputation } from './shared-computation.ts';

// Clipper's own two texts; what happened is added behind them.
const noModels = 'No connected models found for query';
const tooLate = 'Failed to retrieve a prediction response within the specified latency SLO';

/** Takes queries to the replicas of the linked model and answers each within its application's objective. */
export class QueryFrontend implements ComputationOwner {
  readonly failures = new RecentFailures();
  readonly #registry: Registry;
  readonly #metrics: Metrics;
  readonly #queues = new Map<string, ModelQueue>();
  /** One application's queries expire in the order in which they came. */
  readonly #deadlines = new WeakMap<Application, Deadlines<OpenQuery>>();
  readonly #cache: PredictionCache;
  /** By generation and input, as in the cache: what is being computed. */
  readonly #computing = new Map<string, Map<string, SharedComputation>>();
  #nextQueryId = 0;
  /** Why a model version has no replica, where more is known of it; asked by `name:version`. */
  whyAbsent: (model: string) => string | undefined = () => undefined;

  constructor(registry: Registry, metrics: Metrics, cacheBytes: number) {
    this.#registry = registry;
    this.#metrics = metrics;
    this.#cache = new PredictionCache(cacheBytes);
    metrics.cacheSize = () => this.#cache.size;
  }

  replicaConnected(replica: RpcReplica): void {
    const { modelName, modelVersion, model } = replica;
    const settings = (): QueueSettings => {
      const { batchSize = -1, batchDelayMicros = 0, hedge = false } = this.#registry.model(modelName, modelVersion) ?? {};
      return { batchSize, batchDelayMicros, hedge };
    };
    obtain(this.#queues, queueKeyOf(replica), () => new ModelQueue(settings, this.#metrics.model(model))).addReplica(replica);
  }

  /** Takes a replica out of service; resolves when it has answered what it was sent. */
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

  /** Keeps nothing of an application that is there no more. */
  forget(application: string): void {
    this.#metrics.applications.delete(application);
    this.failures.forget(application);
  }

  /** Answers inputs in their order. Throws E_UNKNOWN_VERSION for a version that the linked model doesn't have. */
  query(application: Application, inputs: readonly Uint8Array[], version?: string): Promise<readonly Answer[]> {
    const receivedAt = performance.now();
    const target = this.#target(application, version);
    const model = typeof target === 'string' ? undefined : target.model;
    return new Promise((resolve) => {
      let open = inputs.length;
      if (open === 0) resolve([]);
      const onAnswered = (query: OpenQuery): void => {
        this.#count(query);
        if (--open === 0) resolve(queries);
      };
      const queries = inputs.map(() => new OpenQuery(this.#nextQueryId++, { application, model, receivedAt }, onAnswered));
      for (const [index, query] of queries.entries()) this.#ask(query, inputs[index] as Uint8Array, target);
    });
  }

  #count(query: OpenQuery): void {
    const { application, fallback, answeredAt, receivedAt } = query;
    // It may have been deleted meanwhile.
    if (this.#registry.application(application.name) === undefined) return;
    const reason = fallback?.reason ?? '';
    this.#metrics.application(application.name).answered(answeredAt, 1_000 * (answeredAt - receivedAt), reason);
    if (fallback !== undefined) this.failures.add(application.name, query);
  }

  #target(application: Application, requested: string | undefined): Target | string {
    const [name] = this.#registry.linkedModels(application.name);
    if (name === undefined) return `no model is linked to '${application.name}'`;
    const version = requested ?? this.#registry.currentVersion(name);
    const model = version === undefined ? undefined : this.#registry.model(name, version);
    if (model !== undefined) return this.#targetOf(application, model);
    if (requested === undefined) return `the current version of the linked model '${name}' was deleted`;
    throw new ClipperError('E_UNKNOWN_VERSION', `Requested version: ${requested} does not exist for model: ${name}`);
  }

  #targetOf({ inputType, cache = true }: Application, { name, version, cache: kept = true }: ModelVersion): Target {
    const key = modelKey(name, version);
    return {
      model: key,
      queueKey: queueKeyOf({ model: key, inputType }),
      generation: `${key} ${this.#registry.generation(name, version)}`,
      cache: cache && kept !== false && this.#cache.isOn ? (kept === true ? {} : kept) : undefined,
      metrics: this.#metrics.model(key),
    };
  }

  #ask(query: OpenQuery, input: Uint8Array, target: Target | string): void {
    if (typeof target === 'string') return query.fallBack({ reason: 'no_model_linked', explanation: `${noModels}: ${target}` });
    const key = target.cache === undefined ? undefined : inputKey(input);
    if (key !== undefined && this.#isKnown(query, key, target)) return;
    const queue = this.#queues.get(target.queueKey);
    if (queue === undefined || queue.replicaCount === 0) {
      return query.fallBack({ reason: 'no_live_replica', explanation: this.#explainAbsence(query, target) });
    }
    this.#watch(query);
    if (key !== undefined && this.#join(query, key, target)) return;
    query.queuedAt = performance.now();
    const computation = new SharedComputation(query, { input, target, key }, this);
    query.computation = computation;
    if (key !== undefined) obtain(this.#computing, target.generation, () => new Map()).set(key.text, computation);
    queue.enqueue(computation);
  }

  #explainAbsence({ application }: OpenQuery, { model }: Target): string {
    const known = this.whyAbsent(model);
    const why = `the linked model has no live replica for ${application.inputType}`;
    return `${noModels}: ${why}${known === undefined ? '' : `: ${known}`}`;
  }

  /** Answers a query from the cache, where it is there. */
  #isKnown(query: OpenQuery, key: InputKey, { generation, metrics }: Target): boolean {
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

  /** Lets a query wait for the computation of an identical one, unless that might be too late for it or is late already. */
  #join(query: OpenQuery, key: InputKey, { generation }: Target): boolean {
    const running = this.#computing.get(generation)?.get(key.text);
    if (running?.key === undefined || !isSameInput(running.key, key)) return false;
    if (running.deadline > query.deadline || running.deadline <= query.receivedAt) return false;
    query.isJoined = true;
    running.join(query);
    this.#metrics.application(query.application.name).joined.add();
    return true;
  }

  /** Hands out what came of a computation. */
  finished(computation: SharedComputation, result: ComputationResult): void {
    const { key, target, queries, receivedAt, trip } = computation;
    if (result.kind === 'answered') target.metrics.predictions.mark(trip?.answeredAt ?? receivedAt);
    if (key !== undefined) {
      this.#forget(computation, key);
      // A result that comes too late for its query still serves the next one.
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
    obtain(this.#deadlines, query.application, () => new Deadlines<OpenQuery>(expire)).add(query);
  }
}

/** By input type as well: a replica that announces another type than the application's must not get its inputs. */
const queueKeyOf = ({ model, inputType }: Pick<RpcReplica, 'model' | 'inputType'>): string => `${model} ${inputType}`;

function settle(query: OpenQuery, result: ComputationResult): void {
  if (result.kind === 'lost') return query.fallBack({ reason: 'replica_lost', explanation: `${noModels}: ${result.why}` });
  if (result.kind === 'shed') return query.fallBack({ reason: 'overloaded', explanation: `${tooLate}: ${result.why}` });
  if (!result.output.failed) return query.answer(result.output.text);
  const error = readRemoteError(result.output.text);
  query.fallBack({ reason: 'function_error', explanation: `The function failed: ${error.name}: ${error.message}`, error });
}

function expire(query: OpenQuery): void {
  const { computation, receivedAt } = query;
  const sentAt = computation?.trip?.sentAt;
  const waited = (performance.now() - receivedAt).toFixed(0);
  if (sentAt === undefined) {
    query.fallBack({ reason: 'slo_queued', explanation: `${tooLate}: still queued after ${waited} ms` });
    // Nobody would take it out of the queue.
    if (computation?.isWanted === false) computation.finish({ kind: 'lost', why: 'nobody waits for it any more' });
    return;
  }
  const queued = Math.max(0, sentAt - receivedAt).toFixed(0);
  query.fallBack({
    reason: 'slo_computing',
    explanation: `${tooLate}: still computing after ${waited} ms, of which ${queued} ms queued`,
  });
}
