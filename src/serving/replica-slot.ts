import type { ReplicaMetrics } from '../metrics/counted.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import { type BatchSizePolicy, policyFor } from './batch-size.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { LatencyModel } from './latency-model.ts';

/** A batch on its way to a replica and back. Times are on the clock of performance.now(). */
export interface Trip {
  readonly replicaId: number;
  readonly size: number;
  readonly batchedAt: number;
  sentAt: number;
  /** When the replica was free to begin with it, as far as is known here. */
  readonly beganAt: number;
  answeredAt: number | undefined;
  /** How long the function took, where the replica says so. */
  computeMicros: number | undefined;
}

/** A batch that is away for so many times as long as the slowest of a hundred is not expected back. */
const overdue = 3;

/** A replica as its model's queue sees it: what it has in flight, how fast it is and whether it works. */
export class ReplicaSlot {
  readonly replica: RpcReplica;
  readonly latency = new LatencyModel();
  readonly breaker = new CircuitBreaker();
  /** Milliseconds an input, in batches as large as the objective allows. */
  msPerInput = 0;
  readonly #metrics: ReplicaMetrics;
  readonly #batchSize: () => number;
  #policy: BatchSizePolicy | undefined;
  readonly #inFlight: Trip[] = [];
  #answeredAt = 0;

  constructor(replica: RpcReplica, batchSize: () => number, metrics: ReplicaMetrics) {
    this.replica = replica;
    this.#batchSize = batchSize;
    this.#metrics = metrics;
    metrics.inFlight = () => this.#inFlight.length;
  }

  /** Chosen at the first batch: a replica may be there before its model is registered. */
  get policy(): BatchSizePolicy {
    this.#policy ??= policyFor(this.#batchSize(), this.latency);
    return this.#policy;
  }

  get isIdle(): boolean {
    return this.#inFlight.length === 0;
  }

  get hasRoom(): boolean {
    return this.#inFlight.length < this.replica.maxInFlight;
  }

  /** When it should be done with what it has. */
  freeAt(now: number): number {
    return this.#inFlight.reduce(
      (from, trip) => Math.max(now, from + this.latency.mean(trip.size)),
      this.#inFlight[0]?.beganAt ?? now,
    );
  }

  /** Whether it keeps a batch for so long that it may hang. */
  isOverdue(now: number): boolean {
    const [oldest] = this.#inFlight;
    return oldest !== undefined && now > oldest.beganAt + overdue * this.latency.p99(oldest.size);
  }

  begin(size: number, now: number): Trip {
    const { replicaId } = this.replica;
    const beganAt = this.#inFlight.length === 0 ? now : this.freeAt(now);
    const trip: Trip = { replicaId, size, batchedAt: now, sentAt: now, beganAt, answeredAt: undefined, computeMicros: undefined };
    this.#inFlight.push(trip);
    return trip;
  }

  /** Takes in that a batch was answered whose earliest deadline and objective these are. */
  answered(trip: Trip, { earliest, objectiveMs }: { earliest: number; objectiveMs: number }, now: number): void {
    trip.answeredAt = now;
    // A batch that was sent ahead waited for the one before.
    const began = Math.max(trip.batchedAt, this.#answeredAt);
    const latencyMs = now - began;
    this.latency.observe(trip.size, latencyMs);
    this.policy.observe({ size: trip.size, latencyMs, budgetMs: earliest - began });
    // A query may have to wait for one whole batch before its own.
    const size = this.policy.sizeFor(objectiveMs / 2);
    this.msPerInput = this.latency.mean(size) / size;
    this.#answeredAt = now;
    this.#metrics.latency.record(1_000 * latencyMs);
    this.#metrics.inputs.add(trip.size);
  }

  /** Takes a batch out of flight; `isFailure` where nothing but failures came back. */
  end(trip: Trip, isFailure: boolean, now: number): void {
    this.#inFlight.splice(this.#inFlight.indexOf(trip), 1);
    this.breaker.record(isFailure, now);
    if (isFailure) this.#metrics.failedBatches.add();
  }
}
