const tickMs = 5_000;
const minutes = [1, 5, 15] as const;

/** The rate of events: since the start, and exponentially weighted over 1, 5 and 15 minutes, like the Unix load average. */
export class Meter {
  readonly #startedAt = performance.now();
  #tickedAt = this.#startedAt;
  #sinceTick = 0;
  #count = 0;
  #averages: readonly number[] | undefined;

  /** Times are on the clock of performance.now(). */
  mark(now: number): void {
    if (now - this.#tickedAt >= tickMs) this.#tick(now);
    this.#sinceTick++;
    this.#count++;
  }

  get count(): number {
    return this.#count;
  }

  /** Events per second. */
  rates(now = performance.now()): { readonly mean: number; readonly averages: readonly number[] } {
    if (now - this.#tickedAt >= tickMs) this.#tick(now);
    const mean = this.#count / Math.max(1e-3, (now - this.#startedAt) / 1_000);
    return { mean, averages: this.#averages ?? minutes.map(() => mean) };
  }

  #tick(now: number): void {
    const seconds = (now - this.#tickedAt) / 1_000;
    const rate = this.#sinceTick / seconds;
    const before = this.#averages;
    this.#averages = minutes.map((over, at) => {
      const average = before?.[at] ?? rate;
      return average + (1 - Math.exp(-seconds / (60 * over))) * (rate - average);
    });
    this.#tickedAt = now;
    this.#sinceTick = 0;
  }
}
