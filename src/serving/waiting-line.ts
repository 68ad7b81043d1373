import { Fifo } from '../util/fifo.ts';
import { getOrInsert } from '../util/get-or-insert.ts';

/** What waits. Those of one application come in the order of their deadlines. */
export interface Waiting {
  readonly application: object;
  readonly deadline: number;
  /** False once nobody waits for it any more. */
  readonly isWanted: boolean;
}

/**
 * Takes the earliest deadline first (Liu and Layland, 1973). As an application has one objective, its own queries come in that order: a
 * line for each, and the earliest head of them is next.
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

  /** Puts one back that had been taken, at its place. */
  putBack(item: T): void {
    const line = this.#lineOf(item);
    const before = countWhere(line, (deadline) => deadline < item.deadline);
    line.insertAt(before, item);
    this.#size++;
  }

  /** The one with the earliest deadline that is still wanted. */
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

  /** How many would be taken before one with this deadline. */
  countUntil(deadline: number): number {
    let count = 0;
    for (const line of this.#lines.values()) count += countUntil(line, deadline);
    return count;
  }

  /** How many of an application wait. */
  countOf(application: object): number {
    return this.#lines.get(application)?.size ?? 0;
  }

  /** Takes out the newest that would be taken before this deadline, of the application that has the most there: more than `count`. */
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

/** How many at the beginning of a line have deadlines for which this holds. */
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
