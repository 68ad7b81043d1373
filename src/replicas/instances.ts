import type { ReplicaExit } from './backend.ts';

/** Of those that ended. */
const kept = 50;

/** The instances of a fleet: those that run and the last that did, oldest first. */
export class Instances {
  readonly #all: string[] = [];
  readonly #exits = new Map<string, ReplicaExit>();

  get all(): readonly string[] {
    return this.#all;
  }

  /** How one ended; undefined for one that has not, or did so long ago. */
  exitOf(instance: string): ReplicaExit | undefined {
    return this.#exits.get(instance);
  }

  add(instance: string): void {
    this.#all.push(instance);
  }

  /** To be told of each that has ended. Returns the one that is forgotten for it, if one is. */
  ended(instance: string, exit: ReplicaExit): string | undefined {
    this.#exits.set(instance, exit);
    const [oldest] = this.#exits.size > kept ? this.#exits.keys() : [];
    if (oldest !== undefined) this.forget(oldest);
    return oldest;
  }

  /** Takes one out, as if it had never been. */
  forget(instance: string): void {
    this.#exits.delete(instance);
    const index = this.#all.indexOf(instance);
    if (index !== -1) this.#all.splice(index, 1);
  }
}
