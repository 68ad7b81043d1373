import type { ReplicaMetrics } from '../metrics/counted.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import type { BatchSizePolicy } from './batch-size.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { LatencyModel } from './latency-model.ts';

/** A batch on its way to a replica and back. Times are on the clock of performance.now(). */
export interface InFlightBatch {
  readonly replicaId: number;
  readonly size: number;
  readonly batchedAt: number;
  sentAt: number;
  /** When the replica was free to begin with it, as far as is known here. */
  beganAt: number;
  answeredAt: number | undefined;
  /** How long the function took, where the replica says so. */
  computeMicros: number | undefined;
}

export interface AnsweredBatch {
  readonly earliest: number;
  readonly objectiveMs: number;
  readonly computeMicros: number | undefined;
}

/** A batch that is away for so many times as long as the slowest of a hundred is not expected back. */
const overdue = 3;
const carriedWeight = 0.05;

/** A replica as its model's queue sees it: what it has in flight, how fast it is and whether it works. */
export class ReplicaSlot {
  readonly replica: RpcReplica;
  readonly latency = new LatencyModel();
  readonly breaker = new CircuitBreaker();
  /** Milliseconds that a query of the last batch had, from its receipt on. */
  objectiveMs = 0;
  /** Milliseconds an input, in batches as large as the objective may come to allow. */
  msPerInput = 0;
  readonly #metrics: ReplicaMetrics;
  readonly #choosePolicy: (model: LatencyModel) => BatchSizePolicy;
  #policy: BatchSizePolicy | undefined;
  readonly #inFlight: InFlightBatch[] = [];
  #onIdle: (() => void) | undefined;
  #busyMs = 0;
  #busyFrom = 0;
  #answeredAt = 0;
  /** How much longer batches are away than the replica works on them, as a moving average. */
  #carriedMs = 0;

  constructor(replica: RpcReplica, choosePolicy: (model: LatencyModel) => BatchSizePolicy, metrics: ReplicaMetrics) {
    this.replica = replica;
    this.#choosePolicy = choosePolicy;
    this.#metrics = metrics;
  }

  /** Chosen at the first batch: a replica may be there before its model is registered. */
  get policy(): BatchSizePolicy {
    this.#policy ??= this.#choosePolicy(this.latency);
    return this.#policy;
  }

  get batchesInFlight(): number {
    return this.#inFlight.length;
  }

  get isIdle(): boolean {
    return this.#inFlight.length === 0;
  }

  /** Resolves when it has answered all that it has. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isIdle) resolve();
      else this.#onIdle = resolve;
    });
  }

  get hasRoom(): boolean {
    return this.#inFlight.length < this.replica.maxInFlight;
  }

  /** Milliseconds until the outputs of a batch of this size are here, on average. */
  expectedMs(size: number): number {
    const ms = this.latency.mean(size);
    return ms + this.#betweenMs(ms);
  }

  /** Milliseconds that it had something to do. */
  busyMs(now: number): number {
    return this.#busyMs + (this.isIdle ? 0 : now - this.#busyFrom);
  }

  /** When it should be done with what it has. */
  freeAt(now: number): number {
    return this.#inFlight.reduce(
      (from, inFlight) => Math.max(now, from + this.expectedMs(inFlight.size)),
      this.#inFlight[0]?.beganAt ?? now,
    );
  }

  /** Whether it keeps a batch for so long that it may hang: where it is new, for longer than `newMs`. */
  isOverdue(now: number, newMs: number): boolean {
    const [oldest] = this.#inFlight;
    if (oldest === undefined) return false;
    return now > oldest.beganAt + (this.latency.isTrained ? overdue * this.latency.p99(oldest.size) : newMs);
  }

  begin(size: number, now: number): InFlightBatch {
    const { replicaId } = this.replica;
    const beganAt = this.#inFlight.length === 0 ? now : this.freeAt(now);
    if (this.isIdle) this.#busyFrom = now;
    const inFlight: InFlightBatch = {
      replicaId,
      size,
      batchedAt: now,
      sentAt: now,
      beganAt,
      answeredAt: undefined,
      computeMicros: undefined,
    };
    this.#inFlight.push(inFlight);
    return inFlight;
  }

  /** Takes in that a batch was answered. */
  answered(inFlight: InFlightBatch, { earliest, objectiveMs, computeMicros }: AnsweredBatch, now: number): void {
    inFlight.answeredAt = now;
    inFlight.computeMicros = computeMicros;
    // A batch that was sent ahead waited for the one before.
    const began = Math.max(inFlight.batchedAt, this.#answeredAt);
    const awayMs = now - began;
    // What the replica took says more than when its answer was read here, which is later the more there is to do.
    const latencyMs = computeMicros === undefined ? awayMs : computeMicros / 1_000;
    this.latency.observe(inFlight.size, latencyMs, awayMs);
    this.policy.observe({ size: inFlight.size, latencyMs, budgetMs: earliest - began });
    this.objectiveMs = objectiveMs;
    // A query may have to wait for one whole batch before its own.
    const limit = this.policy.limitFor(objectiveMs / 2);
    this.#carriedMs += carriedWeight * (awayMs - latencyMs - this.#carriedMs);
    this.msPerInput = this.latency.perInput(limit) + this.#betweenMs(this.latency.mean(limit)) / limit;
    this.#answeredAt = now;
    this.#metrics.latency.record(1_000 * awayMs);
    this.#metrics.inputs.add(inFlight.size);
  }

  /** Takes a batch out of flight; `isFailure` where nothing but failures came back. */
  end(inFlight: InFlightBatch, isFailure: boolean, now: number): void {
    this.#inFlight.splice(this.#inFlight.indexOf(inFlight), 1);
    const [next] = this.#inFlight;
    if (next !== undefined) next.beganAt = now;
    this.breaker.record(isFailure, now);
    if (isFailure) this.#metrics.failedBatches.add();
    if (!this.isIdle) return;
    this.#busyMs += now - this.#busyFrom;
    this.#onIdle?.();
  }

  /** What there is between two batches. Not more than half of one: where it is, the server is what is slow, and shedding takes it time too. */
  #betweenMs(batchMs: number): number {
    return Number.isFinite(batchMs) ? Math.min(this.#carriedMs, batchMs / 2) : 0;
  }
}
