import { Fifo } from '../util/fifo.ts';

const longestTimerMs = 2 ** 31 - 1;
const leastSwept = 1_024;

interface Timed {
  readonly expiresAt: number;
  readonly isSettled: boolean;
}

/** Calls back when queries expire, with one timer for all. Queries must be added in order of expiry. */
export class Deadlines<T extends Timed> {
  #queries = new Fifo<T>();
  #sweepAt = leastSwept;
  readonly #onExpired: (query: T) => void;
  #isArmed = false;

  constructor(onExpired: (query: T) => void) {
    this.#onExpired = onExpired;
  }

  add(query: T): void {
    while (this.#queries.peek()?.isSettled === true) this.#queries.shift();
    if (this.#queries.size >= this.#sweepAt) this.#sweep();
    this.#queries.push(query);
    this.#arm();
  }

  /**
   * Drops settled queries that are stuck behind an open one. Runs each time the queue has doubled, so the cost per query is
   * constant.
   */
  #sweep(): void {
    const open = new Fifo<T>();
    for (let query = this.#queries.shift(); query !== undefined; query = this.#queries.shift()) {
      if (!query.isSettled) open.push(query);
    }
    this.#queries = open;
    this.#sweepAt = Math.max(leastSwept, 2 * open.size);
  }

  #arm(): void {
    const first = this.#queries.peek();
    if (this.#isArmed || first === undefined) return;
    this.#isArmed = true;
    const remainingMs = Math.ceil(first.expiresAt - performance.now());
    setTimeout(() => this.#expire(), Math.min(longestTimerMs, Math.max(1, remainingMs))).unref();
  }

  #expire(): void {
    this.#isArmed = false;
    const now = performance.now();
    for (let query = this.#queries.peek(); query !== undefined; query = this.#queries.peek()) {
      if (!query.isSettled && query.expiresAt > now) break;
      this.#queries.shift();
      if (!query.isSettled) this.#onExpired(query);
    }
    this.#arm();
  }
}
