import type { Application } from '../control/state-store.ts';
import type { Computation, ComputationResult } from './computation.ts';
import type { InputKey } from './input-key.ts';
import type { OpenQuery, QueryTarget } from './query.ts';
import type { InFlightBatch } from './replica-slot.ts';

const nothing = new Uint8Array(0);

/** Is notified when a computation has ended. */
export interface ComputationOwner {
  finished(computation: SharedComputation, result: ComputationResult): void;
}

/** One computation shared by all queries with the same input that arrive before it ends. */
export class SharedComputation implements Computation {
  /** Emptied at the end, because answered queries may be kept for a while. */
  input: Uint8Array;
  /** The queries that wait for it. The first one started it. */
  readonly queries: OpenQuery[];
  readonly application: Application;
  readonly receivedAt: number;
  readonly deadline: number;
  readonly target: QueryTarget;
  /** The input's cache key; undefined if the output is not to be cached. */
  key: InputKey | undefined;
  readonly #owner: ComputationOwner;
  lastDeadline: number;
  /** At least this many of its first queries are settled. */
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

  /** Adds a query that waits for it. */
  join(query: OpenQuery): void {
    query.computation = this;
    this.queries.push(query);
    this.lastDeadline = Math.max(this.lastDeadline, query.deadline);
  }

  get isWanted(): boolean {
    // Counts on from last time: thousands may share it, and this is asked once for each query that expires.
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
