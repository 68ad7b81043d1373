/** A queue with amortized constant cost at both ends. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Inserts an item. The cost grows with the number of items after it. */
  insertAt(index: number, item: T): void {
    this.#items.splice(this.#head + index, 0, item);
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  at(index: number): T | undefined {
    return this.#items[this.#head + index];
  }

  last(): T | undefined {
    return this.#items.at(-1);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (this.#head < this.#items.length) this.#items[this.#head++] = undefined;
    if (this.#head > 1_024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Removes and returns an item. The cost grows with the number of items after it. */
  removeAt(index: number): T | undefined {
    return this.#items.splice(this.#head + index, 1)[0];
  }
}
