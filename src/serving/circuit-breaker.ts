const failuresToOpen = 5;
const shortestRestMs = 1_000;
const longestRestMs = 30_000;

/**
 * Rests a replica after several failed batches in a row, and retries it after a rest that doubles each time: the circuit
 * breaker of M. Nygard, "Release It!" (2007). Times are on the clock of performance.now().
 */
export class CircuitBreaker {
  #failures = 0;
  #restMs = 0;
  #until = 0;

  isOpen(now: number): boolean {
    return now < this.#until;
  }

  /** Milliseconds until the end of its rest. */
  restMs(now: number): number {
    return Math.max(0, this.#until - now);
  }

  /** Whether its last batch succeeded. */
  get isWell(): boolean {
    return this.#failures === 0;
  }

  record(isFailure: boolean, now: number): void {
    if (!isFailure) {
      this.#failures = 0;
      this.#restMs = 0;
      return;
    }
    this.#failures++;
    if (this.#failures < failuresToOpen) return;
    this.#restMs = Math.min(longestRestMs, Math.max(shortestRestMs, 2 * this.#restMs));
    this.#until = now + this.#restMs;
  }
}
