import { getOrInsert } from './get-or-insert.ts';

interface Line {
  last: Promise<unknown>;
  /** Of the running and waiting jobs. */
  readonly cuts: Set<AbortController>;
}

/** Runs jobs of one key in order, and those of different keys concurrently. */
export class KeyedQueue {
  readonly #lines = new Map<string, Line>();

  /** Runs a job after those before it have settled. `cut` aborts its signal. */
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

  /** Aborts the signals of all running and waiting jobs of a key. */
  cut(key: string): void {
    for (const cut of this.#lines.get(key)?.cuts ?? []) cut.abort();
  }
}
