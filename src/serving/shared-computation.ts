import type { Application } from '../control/state-store.ts';
import type { Computation, ComputationResult } from './computation.ts';
import type { InputKey } from './input-key.ts';
import type { OpenQuery, QueryTarget } from './query.ts';
import type { InFlightBatch } from './replica-slot.ts';

const nothing = new Uint8Array(0);

/** What is told when a computation has ended. */
export interface ComputationOwner {
  finished(computation: SharedComputation, result: ComputationResult): void;
}

/** One computation for the queries that have the same input while it is on its way. */
export class SharedComputation implements Computation {
  /** Nothing once it has ended: answered queries may be kept for a while. */
  input: Uint8Array;
  /** Those that wait for it; the first is the one that it was begun for. */
  readonly queries: OpenQuery[];
  readonly application: Application;
  readonly receivedAt: number;
  readonly deadline: number;
  readonly target: QueryTarget;
  /** Its input as the cache has it; undefined where nothing is kept. */
  key: InputKey | undefined;
  readonly #owner: ComputationOwner;
  lastDeadline: number;
  /** As many at least of its first queries are settled. */
  #settled = 0;
  inFlight: InFlightBatch | undefined;
  copies = 0;
  isRetried = false;
  isFinished = false;

  constructor(
    first: OpenQuery,
    what: { input: Uint8Array; target: QueryTarget; key: InputKey | undefined },
    owner: ComputationOwner,
  ) {
    this.input = what.input;
    this.target = what.target;
    this.key = what.key;
    this.queries = [first];
    this.application = first.application;
    this.receivedAt = first.receivedAt;
    this.deadline = first.deadline;
    this.lastDeadline = first.deadline;
    this.#owner = owner;
  }

  /** Has one more query wait for it. */
  join(query: OpenQuery): void {
    query.computation = this;
    this.queries.push(query);
    this.lastDeadline = Math.max(this.lastDeadline, query.deadline);
  }

  get isWanted(): boolean {
    // Thousands may share it, and this is asked once for each that expires.
    while (this.queries[this.#settled]?.isSettled === true) this.#settled++;
    return this.#settled < this.queries.length;
  }

  finish(result: ComputationResult): void {
    if (this.isFinished) return;
    this.isFinished = true;
    this.#owner.finished(this, result);
    this.input = nothing;
    this.key = undefined;
  }
}
