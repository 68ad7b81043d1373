/** Merges many sources into one stream. `put` resolves when its value was taken, so a source can wait. */
export class Funnel<T> {
  readonly #given: { readonly value: T; readonly taken: () => void }[] = [];
  #wake = (): void => {};

  put(value: T): Promise<void> {
    return new Promise((taken) => {
      this.#given.push({ value, taken });
      this.#wake();
    });
  }

  /** The merged values, until the signal aborts or the reader stops. Sources must not put values after that. */
  async *values(signal: AbortSignal): AsyncGenerator<T> {
    const wake = (): void => this.#wake();
    signal.addEventListener('abort', wake);
    try {
      while (!signal.aborted) {
        const next = this.#given.shift();
        if (next === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
        else {
          next.taken();
          yield next.value;
        }
      }
    } finally {
      signal.removeEventListener('abort', wake);
      for (const { taken } of this.#given.splice(0)) taken();
    }
  }
}
