import type { ServingSettings } from '../contract/serving.ts';
import { isClipperError, messageOf } from '../errors.ts';
import type { ModelMetrics } from '../metrics/counted.ts';
import type { Output, Outputs } from '../protocol/content.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import { Admission } from './admission.ts';
import { type BatchSizePolicy, policyFor } from './batch-size.ts';
import type { Computation } from './computation.ts';
import type { LatencyModel } from './latency-model.ts';
import { type InFlightBatch, ReplicaSlot } from './replica-slot.ts';
import { WaitingLine } from './waiting-line.ts';

export interface QueueLoad {
  /** Replicas that accept new work. */
  readonly replicas: number;
  /** Milliseconds that all replicas together have been busy so far; never decreases. */
  readonly busyMs: number;
  /** The share of its objective that the next query has used up; 0 if none waits. */
  readonly waitedShare: number;
}

/**
 * The queue of one model version, shared by its replicas. Each takes the next batch when it is free, earliest deadline
 * first.
 */
export class ModelQueue {
  readonly #waiting = new WaitingLine<Computation>();
  readonly #slots = new Map<RpcReplica, ReplicaSlot>();
  /** Replicas that finish what waits and get nothing new. */
  readonly #draining = new Map<ReplicaSlot, () => void>();
  /** The longest-idle replica comes first. */
  readonly #idle = new Set<ReplicaSlot>();
  readonly #admission = new Admission(this.#waiting, () => this.#slots.values());
  readonly #settings: () => ServingSettings;
  readonly #metrics: ModelMetrics;
  #isScheduled = false;
  #wake: NodeJS.Timeout | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;
  #inFlight = 0;
  /** `busyMs` of removed replicas. */
  #busyBefore = 0;

  constructor(settings: () => ServingSettings, metrics: ModelMetrics) {
    this.#settings = settings;
    this.#metrics = metrics;
  }

  /** How many replicas accept new work. */
  get replicaCount(): number {
    return this.#slots.size - this.#draining.size;
  }

  /** How many computations wait. */
  get depth(): number {
    return this.#waiting.size;
  }

  /** How many batches were sent to a replica and are not answered. */
  batchesInFlight(replicaId: number): number {
    const slots = [...this.#slots.values()].filter(({ replica }) => replica.replicaId === replicaId);
    return slots.reduce((sum, slot) => sum + slot.batchesInFlight, 0);
  }

  load(now: number): QueueLoad {
    const first = this.#waiting.peek();
    const waitedShare = first === undefined ? 0 : (now - first.receivedAt) / (first.deadline - first.receivedAt);
    const busyMs = [...this.#slots.values()].reduce((sum, slot) => sum + slot.busyMs(now), this.#busyBefore);
    return { replicas: this.replicaCount, busyMs, waitedShare };
  }

  /** Whether the queue can be dropped. Batches in flight in a removed replica may still return to it. */
  get isUnused(): boolean {
    return this.#slots.size === 0 && this.#inFlight === 0 && this.#waiting.peek() === undefined;
  }

  enqueue(computation: Computation): void {
    // Drops computations that nobody waits for any more, even if there is no replica to take the next batch.
    this.#waiting.peek();
    this.#admission.admit(computation, performance.now());
    this.#schedule();
  }

  addReplica(replica: RpcReplica): void {
    const choosePolicy = (model: LatencyModel): BatchSizePolicy => policyFor(this.#settings().batchSize, model);
    const slot = new ReplicaSlot(replica, choosePolicy, this.#metrics.replica(replica.replicaId));
    this.#slots.set(replica, slot);
    this.#idle.add(slot);
    for (const each of this.#draining.keys()) this.removeReplica(each.replica);
    this.#schedule();
  }

  /**
   * Takes a replica out of service. The others take over what waits; the last replica finishes it first. Resolves when the
   * replica has answered everything that it was sent.
   */
  async drain(replica: RpcReplica): Promise<void> {
    const slot = this.#slots.get(replica);
    if (slot === undefined) return;
    if (this.replicaCount > 1 || this.#waiting.peek() === undefined) this.removeReplica(replica);
    else await new Promise<void>((resolve) => this.#draining.set(slot, resolve));
    await slot.whenIdle();
  }

  /** Sends no more to a replica. Its batches in flight are answered, or fail with it. */
  removeReplica(replica: RpcReplica): void {
    const slot = this.#slots.get(replica);
    if (slot === undefined) return;
    this.#slots.delete(replica);
    this.#idle.delete(slot);
    this.#busyBefore += slot.busyMs(performance.now());
    this.#draining.get(slot)?.();
    this.#draining.delete(slot);
    this.#metrics.replicas.delete(replica.replicaId);
    // Another replica may rest only because this one worked.
    this.#schedule();
  }

  /** Dispatches after all input that has arrived by now is read, so that it goes out together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    if (this.#waiting.size === 0) return;
    const now = performance.now();
    for (const slot of this.#free(now)) {
      const batch = this.#admission.takeBatch(slot, slot.freeAt(now));
      if (batch.length === 0) return;
      this.#idle.delete(slot);
      void this.#run(slot, batch, now);
    }
  }

  /** The replicas that may get a batch now: idle ones, then busy ones that can keep the next batch ready. */
  *#free(now: number): Iterable<ReplicaSlot> {
    for (const slot of this.#idle) {
      if (this.#mustRest(slot, now)) continue;
      if (this.#shouldDelay(slot, now)) return;
      yield slot;
    }
    for (const slot of this.#slots.values()) {
      if (slot.isIdle || !slot.hasRoom || this.#mustRest(slot, now)) continue;
      // Hold back less than a full batch, so that it can grow.
      if (this.#waiting.size >= this.#sizeOf(slot, now)) yield slot;
    }
  }

  /** Whether a failing replica must rest: only if another one works. If all fail, the inputs are to blame. */
  #mustRest(slot: ReplicaSlot, now: number): boolean {
    if (!slot.breaker.isOpen(now)) return false;
    for (const other of this.#slots.values()) {
      if (!other.breaker.isWell || other.isOverdue(now, Number.POSITIVE_INFINITY)) continue;
      // Nothing else may trigger a dispatch when the rest ends.
      this.#wakeAfter(slot.breaker.restMs(now), now);
      return true;
    }
    return false;
  }

  /** Dispatches after this time, unless an earlier one is scheduled. */
  #wakeAfter(ms: number, now: number): void {
    if (this.#wakesAt <= now + ms) return;
    this.#wakesAt = now + ms;
    clearTimeout(this.#wake);
    this.#wake = setTimeout(() => {
      this.#wakesAt = Number.POSITIVE_INFINITY;
      this.#dispatch();
    }, ms).unref();
  }

  #sizeOf(slot: ReplicaSlot, now: number): number {
    const earliest = this.#waiting.peek()?.deadline ?? now;
    return slot.policy.sizeFor(earliest - slot.freeAt(now));
  }

  #shouldDelay(slot: ReplicaSlot, now: number): boolean {
    const { batchDelayMicros } = this.#settings();
    const first = this.#waiting.peek();
    if (batchDelayMicros === 0 || first === undefined) return false;
    // At most half the objective, so that short objectives can still be met.
    const delayMs = Math.min(batchDelayMicros / 1_000, (first.deadline - first.receivedAt) / 2);
    const leftMs = first.receivedAt + delayMs - now;
    if (leftMs <= 0 || this.#waiting.size >= this.#sizeOf(slot, now)) return false;
    this.#wakeAfter(leftMs, now);
    return true;
  }

  async #run(slot: ReplicaSlot, batch: readonly Computation[], now: number): Promise<void> {
    const inFlight = slot.begin(batch.length, now);
    this.#inFlight++;
    const { earliest, objectiveMs, longestMs } = this.#depart(batch, inFlight, now);
    this.#metrics.batchSize.record(batch.length);
    const hedge = this.#hedgeLater(slot, batch, inFlight.beganAt - now);
    let isFailure = true;
    try {
      const inputs = batch.map(({ input }) => input);
      // Set before the call, because the replica may begin before it returns.
      inFlight.sentAt = performance.now();
      const answer = await slot.replica.predict(inputs, 2 * longestMs);
      const answeredAt = performance.now();
      slot.answered(inFlight, { earliest, objectiveMs, computeMicros: answer.computeMicros }, answeredAt);
      isFailure = this.#finish(batch, inFlight, answer);
    } catch (error) {
      this.#fail(batch, error);
    }
    clearTimeout(hedge);
    this.#inFlight--;
    slot.end(inFlight, isFailure, performance.now());
    if (!this.#slots.has(slot.replica)) return;
    if (this.#draining.has(slot) && this.#waiting.peek() === undefined) return this.removeReplica(slot.replica);
    if (slot.isIdle) this.#idle.add(slot);
    this.#schedule();
  }

  /** Marks a batch as in flight. Returns its earliest deadline, and its shortest and longest objective in milliseconds. */
  #depart(
    batch: readonly Computation[],
    inFlight: InFlightBatch,
    now: number,
  ): { earliest: number; objectiveMs: number; longestMs: number } {
    let [earliest, objectiveMs, longestMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0];
    for (const computation of batch) {
      const { deadline, receivedAt, isRetried } = computation;
      earliest = Math.min(earliest, deadline);
      objectiveMs = Math.min(objectiveMs, deadline - receivedAt);
      longestMs = Math.max(longestMs, deadline - receivedAt);
      // A hedge counts only if it answers first.
      if (computation.copies++ > 0) continue;
      computation.inFlight = inFlight;
      if (!isRetried) this.#metrics.queued.record(1_000 * (now - receivedAt));
    }
    return { earliest, objectiveMs, longestMs };
  }

  /** Distributes the outputs. Returns whether all of them are failures. */
  #finish(batch: readonly Computation[], inFlight: InFlightBatch, { outputs, computeMicros }: Outputs): boolean {
    const awayMicros = 1_000 * ((inFlight.answeredAt as number) - inFlight.sentAt);
    this.#metrics.latency.record(awayMicros);
    if (computeMicros !== undefined) {
      this.#metrics.computed.record(computeMicros);
      this.#metrics.carried.record(Math.max(0, awayMicros - computeMicros));
    }
    let failures = 0;
    for (const [index, computation] of batch.entries()) {
      const output = outputs[index] as Output;
      if (output.failed) failures++;
      if (computation.isWanted) computation.inFlight = inFlight;
      else this.#metrics.late.add();
      computation.finish({ kind: 'answered', output });
    }
    this.#metrics.failures.add(failures);
    return failures === batch.length;
  }

  /** Retries the batch of a lost replica once, on another replica. */
  #fail(batch: readonly Computation[], error: unknown): void {
    const mayRetry = isClipperError(error) && error.code === 'E_REPLICA_LOST';
    for (const computation of batch.toReversed()) {
      computation.copies--;
      if (computation.copies > 0) continue;
      if (!mayRetry || computation.isRetried || !computation.isWanted) {
        computation.finish({ kind: 'lost', why: messageOf(error) });
        continue;
      }
      computation.isRetried = true;
      computation.inFlight = undefined;
      this.#metrics.retried.add();
      this.#waiting.putBack(computation);
    }
    this.#schedule();
  }

  /** `waitMs`: time until the replica begins with the batch. */
  #hedgeLater(slot: ReplicaSlot, batch: readonly Computation[], waitMs: number): NodeJS.Timeout | undefined {
    const isCopy = batch.some(({ copies }) => copies > 1);
    if (!this.#settings().hedge || isCopy || !slot.latency.isTrained) return undefined;
    return setTimeout(() => this.#hedge(batch), waitMs + slot.latency.p95(batch.length)).unref();
  }

  /** Sends the open part of a slow batch to an idle replica too. The first answer counts. */
  #hedge(batch: readonly Computation[]): void {
    const now = performance.now();
    const open = batch.filter(({ isWanted }) => isWanted);
    const [other] = [...this.#idle].filter((slot) => !slot.breaker.isOpen(now));
    if (other === undefined || open.length === 0) return;
    this.#metrics.hedged.add(open.length);
    this.#idle.delete(other);
    void this.#run(other, open, now);
  }
}
