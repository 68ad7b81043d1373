import type { ReplicaMetrics } from '../metrics/counted.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import type { BatchSizePolicy } from './batch-size.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { LatencyModel } from './latency-model.ts';

/** A batch that was sent to a replica. Times are on the clock of performance.now(). */
export interface InFlightBatch {
  readonly replicaId: number;
  readonly size: number;
  readonly batchedAt: number;
  sentAt: number;
  /** When the replica could begin with the batch, as estimated here. */
  beganAt: number;
  answeredAt: number | undefined;
  /** How long the function took, if the replica reports it. */
  computeMicros: number | undefined;
}

export interface AnsweredBatch {
  readonly earliest: number;
  readonly objectiveMs: number;
  readonly computeMicros: number | undefined;
}

/** A batch that is away for this many times its p99 latency is overdue. */
const overdue = 3;
const carriedWeight = 0.05;

/** A replica as its model's queue sees it: its batches in flight, its speed and its health. */
export class ReplicaSlot {
  readonly replica: RpcReplica;
  readonly latency = new LatencyModel();
  readonly breaker = new CircuitBreaker();
  /** The shortest objective in the last batch, in milliseconds. */
  objectiveMs = 0;
  /** Milliseconds per input, in batches as large as the objective may ever allow. */
  msPerInput = 0;
  readonly #metrics: ReplicaMetrics;
  readonly #choosePolicy: (model: LatencyModel) => BatchSizePolicy;
  #policy: BatchSizePolicy | undefined;
  readonly #inFlight: InFlightBatch[] = [];
  #onIdle: (() => void) | undefined;
  #busyMs = 0;
  #busyFrom = 0;
  #answeredAt = 0;
  /** Transport time: how much longer batches are away than the replica works on them. A moving average. */
  #carriedMs = 0;

  constructor(replica: RpcReplica, choosePolicy: (model: LatencyModel) => BatchSizePolicy, metrics: ReplicaMetrics) {
    this.replica = replica;
    this.#choosePolicy = choosePolicy;
    this.#metrics = metrics;
  }

  /** Chosen with the first batch, as a replica may connect before its model is registered. */
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

  /** Resolves when all its batches are answered. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isIdle) resolve();
      else this.#onIdle = resolve;
    });
  }

  get hasRoom(): boolean {
    return this.#inFlight.length < this.replica.maxInFlight;
  }

  /** Mean milliseconds until the outputs of a batch of this size have arrived. */
  expectedMs(size: number): number {
    const ms = this.latency.mean(size);
    return ms + this.#betweenMs(ms);
  }

  /** Milliseconds that it has been busy so far. */
  busyMs(now: number): number {
    return this.#busyMs + (this.isIdle ? 0 : now - this.#busyFrom);
  }

  /** When it should be done with its batches in flight. */
  freeAt(now: number): number {
    return this.#inFlight.reduce(
      (from, inFlight) => Math.max(now, from + this.expectedMs(inFlight.size)),
      this.#inFlight[0]?.beganAt ?? now,
    );
  }

  /** Whether its oldest batch is away for so long that it may hang. A new replica has `newMs` for a batch. */
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

  /** Records the answer to a batch. */
  answered(inFlight: InFlightBatch, { earliest, objectiveMs, computeMicros }: AnsweredBatch, now: number): void {
    inFlight.answeredAt = now;
    inFlight.computeMicros = computeMicros;
    // A batch that was sent ahead waited for the previous one.
    const began = Math.max(inFlight.batchedAt, this.#answeredAt);
    const awayMs = now - began;
    // The replica's own time is more reliable: the later the busy server reads an answer, the longer the batch seems to
    // take.
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

  /** Ends a batch's flight. `isFailure`: all outputs failed, or none arrived. */
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

  /**
   * The transport time between two batches, at most half a batch's time. If it is more, the server is the bottleneck, and
   * shedding would slow it down further.
   */
  #betweenMs(batchMs: number): number {
    return Number.isFinite(batchMs) ? Math.min(this.#carriedMs, batchMs / 2) : 0;
  }
}
