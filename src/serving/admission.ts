import type { Computation } from './computation.ts';
import type { ReplicaSlot } from './replica-slot.ts';
import type { WaitingLine } from './waiting-line.ts';

/** Bounds memory where nothing is known of how fast replicas are. */
const maxWaiting = 100_000;
/** The share of its objective within which a query must be expected to be answered, as in Clipper's own server. */
const sloShare = 0.92;

/**
 * Sheds what can't be answered in time any more, so that replicas work only for answers that count. Where one application fills the
 * queue the newest query of the longest line gives way to those of others behind it, which makes their shares fair: longest queue drop
 * (Suter et al., "Design Considerations for Supporting TCP with Per-flow Queueing", 1998).
 */
export class Admission {
  readonly #waiting: WaitingLine<Computation>;
  readonly #slots: () => Iterable<ReplicaSlot>;

  constructor(waiting: WaitingLine<Computation>, slots: () => Iterable<ReplicaSlot>) {
    this.#waiting = waiting;
    this.#slots = slots;
  }

  /** Whether a computation may wait; another may have been shed for it. */
  admit(computation: Computation): boolean {
    const why = this.#tooLate(computation);
    if (why === undefined) return true;
    const own = this.#waiting.countOf(computation.application);
    const victim = this.#waiting.takeNewestOfLongest(computation.deadline, own + 1);
    if (victim === undefined) computation.finish({ kind: 'shed', why });
    else victim.finish({ kind: 'shed', why: 'it gave way, as the last of the application with the most queries waiting' });
    return victim !== undefined;
  }

  /** Takes out what could not be answered in time even if it were sent alone. */
  takeHopeless(slot: ReplicaSlot, beginsAt: number): Computation[] {
    const hopeless: Computation[] = [];
    if (!slot.latency.isTrained) return hopeless;
    const earliestEnd = beginsAt + slot.latency.mean(1);
    for (
      let first = this.#waiting.peek();
      first !== undefined && first.lastDeadline < earliestEnd;
      first = this.#waiting.peek()
    ) {
      this.#waiting.shift();
      hopeless.push(first);
    }
    return hopeless;
  }

  shed(hopeless: readonly Computation[]): void {
    for (const each of hopeless) each.finish({ kind: 'shed', why: 'what was left of the objective is less than a batch takes' });
  }

  /** Why a computation would not be answered in time; undefined where it may be. */
  #tooLate({ receivedAt, deadline }: Computation): string | undefined {
    if (this.#waiting.size === 0) return undefined;
    if (this.#waiting.size >= maxWaiting) return `${maxWaiting} queries wait already`;
    const ahead = this.#waiting.countUntil(deadline);
    const expected = this.#expectedEnd(ahead);
    if (ahead === 0 || expected === undefined) return undefined;
    if (expected <= receivedAt + sloShare * (deadline - receivedAt)) return undefined;
    return `${ahead} queries wait before it, and it would take about ${(expected - receivedAt).toFixed(0)} ms`;
  }

  /** When a query behind so many others would be answered; undefined where no replica has worked for long enough to tell. */
  #expectedEnd(ahead: number): number | undefined {
    const now = performance.now();
    let [freeAt, inputsPerMs, batchMs] = [Number.POSITIVE_INFINITY, 0, 0];
    for (const slot of this.#slots()) {
      if (!slot.latency.isTrained || slot.msPerInput === 0) return undefined;
      if (slot.breaker.isOpen(now) || slot.isOverdue(now)) continue;
      freeAt = Math.min(freeAt, slot.freeAt(now));
      inputsPerMs += 1 / slot.msPerInput;
      batchMs = Math.max(batchMs, slot.latency.mean(1));
    }
    return inputsPerMs === 0 ? undefined : freeAt + ahead / inputsPerMs + batchMs;
  }
}
