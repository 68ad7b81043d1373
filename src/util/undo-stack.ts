/** Steps to take back, latest first, when it is disposed of; unless they were handed on. */
export class UndoStack implements AsyncDisposable {
  #steps: Array<() => Promise<unknown>> = [];

  push(undo: () => Promise<unknown>): void {
    this.#steps.push(undo);
  }

  /** Hands the steps on to a new owner: this stack keeps none. */
  move(): UndoStack {
    const moved = new UndoStack();
    moved.#steps = this.#steps;
    this.#steps = [];
    return moved;
  }

  /** Takes every step back, also when one fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    const steps = this.#steps.reverse();
    this.#steps = [];
    for (const undo of steps) await undo().catch(() => {});
  }
}
