/** Leads what many sources give into one stream. A source waits until what it gave is taken. */
export class Funnel<T> {
  readonly #given: { readonly value: T; readonly taken: () => void }[] = [];
  #wake = (): void => {};

  put(value: T): Promise<void> {
    return new Promise((taken) => {
      this.#given.push({ value, taken });
      this.#wake();
    });
  }

  /** What is given, until the signal aborts or whoever reads has enough; sources are not to give any more then. */
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
