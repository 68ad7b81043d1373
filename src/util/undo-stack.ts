/** Runs its steps when it is disposed of, latest first, unless they were moved. */
export class UndoStack implements AsyncDisposable {
  #steps: Array<() => Promise<unknown>> = [];

  push(undo: () => Promise<unknown>): void {
    this.#steps.push(undo);
  }

  /** Moves the steps to a new stack. */
  move(): UndoStack {
    const moved = new UndoStack();
    moved.#steps = this.#steps;
    this.#steps = [];
    return moved;
  }

  /** Runs all steps, even if one fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    const steps = this.#steps.reverse();
    this.#steps = [];
    for (const undo of steps) await undo().catch(() => {});
  }
}
