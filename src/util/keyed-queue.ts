import { getOrInsert } from './get-or-insert.ts';

interface Line {
  last: Promise<unknown>;
  /** Of those that run or wait. */
  readonly cuts: Set<AbortController>;
}

/** Runs jobs one after the other for each key, and those of different keys side by side. */
export class KeyedQueue {
  readonly #lines = new Map<string, Line>();

  /** Runs a job when those before it have ended, in whatever way. Its signal aborts when it is cut. */
  take<T>(key: string, job: (cut: AbortSignal) => Promise<T>): Promise<T> {
    const line = getOrInsert(this.#lines, key, (): Line => ({ last: Promise.resolve(), cuts: new Set() }));
    const cut = new AbortController();
    line.cuts.add(cut);
    const done = line.last
      .then(() => job(cut.signal))
      .finally(() => {
        line.cuts.delete(cut);
        if (line.cuts.size === 0) this.#lines.delete(key);
      });
    line.last = done.catch(() => {});
    return done;
  }

  /** Asks all that run or wait to end now. */
  cut(key: string): void {
    for (const cut of this.#lines.get(key)?.cuts ?? []) cut.abort();
  }
}
