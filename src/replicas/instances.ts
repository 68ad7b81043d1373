import type { ReplicaExit } from './backend.ts';

/** How many ended instances to remember. */
const kept = 50;

/** The instances of a fleet: all that run and the last that ended, oldest first. */
export class Instances {
  readonly #all: string[] = [];
  readonly #exits = new Map<string, ReplicaExit>();

  get all(): readonly string[] {
    return this.#all;
  }

  /** How an instance ended; undefined if it still runs or is forgotten. */
  exitOf(instance: string): ReplicaExit | undefined {
    return this.#exits.get(instance);
  }

  add(instance: string): void {
    this.#all.push(instance);
  }

  /** Call when an instance has ended. Returns the oldest ended instance if that is forgotten in its favour. */
  ended(instance: string, exit: ReplicaExit): string | undefined {
    this.#exits.set(instance, exit);
    const [oldest] = this.#exits.size > kept ? this.#exits.keys() : [];
    if (oldest !== undefined) this.forget(oldest);
    return oldest;
  }

  /** Removes an instance as if it had never existed. */
  forget(instance: string): void {
    this.#exits.delete(instance);
    const index = this.#all.indexOf(instance);
    if (index !== -1) this.#all.splice(index, 1);
  }
}
