import { Fifo } from '../util/fifo.ts';
import { getOrInsert } from '../util/get-or-insert.ts';

/** An item of a waiting line. The items of one application come in order of deadline. */
export interface Waiting {
  readonly application: object;
  readonly deadline: number;
  /** False once nobody waits for it. */
  readonly isWanted: boolean;
}

/**
 * Earliest deadline first (Liu and Layland, 1973). An application has one objective, so its queries arrive in that order.
 * Each application has a line, and the earliest of their heads is next.
 */
export class WaitingLine<T extends Waiting> {
  readonly #lines = new Map<object, Fifo<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    this.#lineOf(item).push(item);
    this.#size++;
  }

  /** Puts an item that was taken back in its place. */
  putBack(item: T): void {
    const line = this.#lineOf(item);
    const before = countWhere(line, (deadline) => deadline < item.deadline);
    line.insertAt(before, item);
    this.#size++;
  }

  /** The wanted item with the earliest deadline. */
  peek(): T | undefined {
    let earliest: T | undefined;
    for (const [application, line] of this.#lines) {
      const head = this.#wantedHead(line);
      if (head === undefined) this.#lines.delete(application);
      else if (earliest === undefined || head.deadline < earliest.deadline) earliest = head;
    }
    return earliest;
  }

  shift(): T | undefined {
    const next = this.peek();
    if (next !== undefined) this.#take(this.#lines.get(next.application) as Fifo<T>);
    return next;
  }

  /** How many items would be taken before a new one with this deadline. */
  countUntil(deadline: number): number {
    let count = 0;
    for (const line of this.#lines.values()) count += countUntil(line, deadline);
    return count;
  }

  /** How many items of an application wait. */
  countOf(application: object): number {
    return this.#lines.get(application)?.size ?? 0;
  }

  /**
   * Looks only at items with deadlines up to this one. If an application has more than `count` of them, removes and returns
   * the newest of the application with the most.
   */
  takeNewestOfLongest(deadline: number, count: number): T | undefined {
    let [longest, most]: [Fifo<T> | undefined, number] = [undefined, count];
    for (const line of this.#lines.values()) {
      const ahead = countUntil(line, deadline);
      if (ahead > most) [longest, most] = [line, ahead];
    }
    if (longest === undefined) return undefined;
    this.#size--;
    return longest.removeAt(most - 1);
  }

  #lineOf({ application }: T): Fifo<T> {
    return getOrInsert(this.#lines, application, () => new Fifo<T>());
  }

  #wantedHead(line: Fifo<T>): T | undefined {
    for (let head = line.peek(); head !== undefined; head = line.peek()) {
      if (head.isWanted) return head;
      this.#take(line);
    }
    return undefined;
  }

  #take(line: Fifo<T>): void {
    line.shift();
    this.#size--;
  }
}

const countUntil = <T extends Waiting>(line: Fifo<T>, deadline: number): number => countWhere(line, (each) => each <= deadline);

/** The length of a line's prefix whose deadlines satisfy a monotone condition. */
function countWhere<T extends Waiting>(line: Fifo<T>, holds: (deadline: number) => boolean): number {
  const last = line.last();
  if (last === undefined || holds(last.deadline)) return line.size;
  let low = 0;
  let high = line.size;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds((line.at(middle) as T).deadline)) low = middle + 1;
    else high = middle;
  }
  return low;
}
