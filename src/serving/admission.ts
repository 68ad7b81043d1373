import { budgetShare } from './batch-size.ts';
import type { Computation } from './computation.ts';
import type { ReplicaSlot } from './replica-slot.ts';
import type { WaitingLine } from './waiting-line.ts';

/** Bounds memory while the replicas' speed is unknown. */
const maxWaiting = 100_000;

/**
 * Decides which queries wait and which are sent next, so that replicas work only on answers that come in time. Times are on
 * the clock of performance.now().
 */
export class Admission {
  readonly #waiting: WaitingLine<Computation>;
  readonly #slots: () => Iterable<ReplicaSlot>;

  constructor(waiting: WaitingLine<Computation>, slots: () => Iterable<ReplicaSlot>) {
    this.#waiting = waiting;
    this.#slots = slots;
  }

  /**
   * Queues a computation, or sheds it if it can't be answered in time. If another application fills the queue, the newest
   * computation of the longest line before it is shed instead, which shares the replicas fairly: longest queue drop (Suter
   * et al., "Design Considerations for Supporting TCP with Per-flow Queueing", 1998).
   */
  admit(computation: Computation, now: number): void {
    const why = this.#tooLate(computation, now);
    if (why !== undefined) {
      const own = this.#waiting.countOf(computation.application);
      const victim = this.#waiting.takeNewestOfLongest(computation.deadline, own + 1);
      if (victim === undefined) return computation.finish({ kind: 'shed', why });
      victim.finish({ kind: 'shed', why: 'it gave way, as the last of the application with the most queries waiting' });
    }
    this.#waiting.push(computation);
  }

  /** Takes the next batch for a replica that will be free at `beginsAt`. */
  takeBatch(slot: ReplicaSlot, beginsAt: number): readonly Computation[] {
    const first = this.#waiting.peek();
    if (first === undefined) return [];
    const size = slot.policy.sizeFor(first.deadline - beginsAt);
    if (size >= this.#waiting.size || !slot.latency.isTrained) return this.#take(size);
    const { objectiveMs } = slot;
    // A query with little time left allows only a small batch, which makes the queries behind it late in turn. Shed it
    // instead.
    const useful = Math.min(this.#waiting.size, slot.policy.pressedSizeFor(objectiveMs / 2));
    const late = this.#takeUntil(beginsAt + slot.expectedMs(useful) / budgetShare);
    const next = this.#waiting.peek();
    // If no query could be answered in time, compute some anyway: otherwise nobody would notice that the replica is fast
    // again.
    const tried = next === undefined ? late.slice(0, useful) : [];
    for (const each of late.slice(tried.length)) {
      each.finish({ kind: 'shed', why: 'what is left of the objective is less than a batch takes' });
    }
    return next === undefined ? tried : this.#take(useful);
  }

  #take(size: number): Computation[] {
    const batch: Computation[] = [];
    while (batch.length < size) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      batch.push(next);
    }
    return batch;
  }

  /** Removes and returns what must be answered before `deadline`. */
  #takeUntil(deadline: number): Computation[] {
    const taken: Computation[] = [];
    for (let first = this.#waiting.peek(); first !== undefined && first.lastDeadline < deadline; first = this.#waiting.peek()) {
      taken.push(first);
      this.#waiting.shift();
    }
    return taken;
  }

  /** Why a computation would be answered too late; undefined if it may be in time. */
  #tooLate({ receivedAt, deadline }: Computation, now: number): string | undefined {
    if (this.#waiting.size === 0) return undefined;
    if (this.#waiting.size >= maxWaiting) return `${maxWaiting} queries wait already`;
    const ahead = this.#waiting.countUntil(deadline);
    const expected = ahead === 0 ? undefined : this.#expectedEnd(ahead, now, deadline - receivedAt);
    if (expected === undefined || expected <= receivedAt + budgetShare * (deadline - receivedAt)) return undefined;
    return `${ahead} queries wait before it, and it would take about ${(expected - receivedAt).toFixed(0)} ms`;
  }

  /** When a query behind `ahead` others would be answered; undefined while a replica's speed is unknown. */
  #expectedEnd(ahead: number, now: number, objectiveMs: number): number | undefined {
    let [freeAt, inputsPerMs, batchMs] = [Number.POSITIVE_INFINITY, 0, 0];
    for (const slot of this.#slots()) {
      if (slot.breaker.isOpen(now) || slot.isOverdue(now, objectiveMs)) continue;
      if (!slot.latency.isTrained) return undefined;
      freeAt = Math.min(freeAt, slot.freeAt(now));
      inputsPerMs += 1 / slot.msPerInput;
      batchMs = Math.max(batchMs, slot.expectedMs(1));
    }
    return inputsPerMs === 0 ? undefined : freeAt + ahead / inputsPerMs + batchMs;
  }
}
