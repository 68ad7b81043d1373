/** Of those that ended. */
const kept = 50;

/** The instances of a fleet: those that run and the last that did, oldest first. */
export class Instances {
  readonly #all: string[] = [];
  readonly #ended: string[] = [];

  get all(): readonly string[] {
    return this.#all;
  }

  add(instance: string): void {
    this.#all.push(instance);
  }

  /** To be told of each that has ended. */
  ended(instance: string): void {
    this.#ended.push(instance);
    const oldest = this.#ended.length > kept ? this.#ended.shift() : undefined;
    if (oldest !== undefined) this.forget(oldest);
  }

  /** Takes one out, as if it had never been. */
  forget(instance: string): void {
    const index = this.#all.indexOf(instance);
    if (index !== -1) this.#all.splice(index, 1);
  }
}
