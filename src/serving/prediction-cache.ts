import { getOrInsert } from '../util/get-or-insert.ts';
import { type InputKey, isSameInput } from './input-key.ts';

/** What an entry takes besides its texts. */
const overheadBytes = 160;
const forever = Number.POSITIVE_INFINITY;

interface Entry {
  readonly generation: string;
  readonly input: InputKey;
  readonly output: string;
  readonly bytes: number;
  /** On the clock of performance.now(). */
  readonly expiresAt: number;
  /** Whether it was asked for since the hand came by. */
  isUsed: boolean;
}

/**
 * Outputs by model version and input, which are compared in full, so that none is given for another's. Bounded in bytes, inputs and
 * outputs together: a hand that goes around takes out what was not asked for since it last came by, which is CLOCK (Corbató, "A Paging
 * Experiment with the Multics System", 1968).
 */
export class PredictionCache {
  readonly #maxBytes: number;
  /** By generation, then by input: what was deployed under one name and version at different times is kept apart. */
  readonly #entries = new Map<string, Map<string, Entry>>();
  readonly #ring: Entry[] = [];
  #hand = 0;
  #bytes = 0;

  /** 0 bytes: no cache. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get isOn(): boolean {
    return this.#maxBytes > 0;
  }

  get size(): { readonly bytes: number; readonly entries: number } {
    return { bytes: this.#bytes, entries: this.#ring.length };
  }

  get(generation: string, input: InputKey): string | undefined {
    const entry = this.#entries.get(generation)?.get(input.text);
    if (entry === undefined) return undefined;
    // One that is of no use any more goes when the hand comes by.
    entry.isUsed = isSameInput(entry.input, input) && (entry.expiresAt === forever || performance.now() < entry.expiresAt);
    return entry.isUsed ? entry.output : undefined;
  }

  /** Kept for `ttlMicros`, or as long as there is room. */
  set(generation: string, { text, bytes: long }: InputKey, output: string, ttlMicros?: number): void {
    const bytes = text.length + (long?.byteLength ?? 0) + 2 * output.length + overheadBytes;
    if (bytes > this.#maxBytes) return;
    while (this.#bytes + bytes > this.#maxBytes) this.#turn();
    // A copy where it is a part of something much larger.
    const isPart = long !== undefined && long.buffer.byteLength > 2 * long.byteLength;
    const input = { text, bytes: isPart ? ownCopy(long) : long };
    const expiresAt = ttlMicros === undefined ? forever : performance.now() + ttlMicros / 1_000;
    const entry = { generation, input, output, bytes, expiresAt, isUsed: false };
    getOrInsert(this.#entries, generation, () => new Map<string, Entry>()).set(text, entry);
    this.#ring.push(entry);
    this.#bytes += bytes;
  }

  /** Passes over an entry, or takes it out. */
  #turn(): void {
    if (this.#hand >= this.#ring.length) this.#hand = 0;
    const entry = this.#ring[this.#hand] as Entry;
    if (entry.isUsed) {
      entry.isUsed = false;
      this.#hand++;
      return;
    }
    const last = this.#ring.pop() as Entry;
    // The last takes its place, and is passed over this time: it is the newest.
    if (last !== entry) this.#ring[this.#hand++] = last;
    this.#bytes -= entry.bytes;
    const known = this.#entries.get(entry.generation);
    // A newer output for the same input may have taken its place.
    if (known?.get(entry.input.text) === entry) known.delete(entry.input.text);
    if (known?.size === 0) this.#entries.delete(entry.generation);
  }
}

/** A copy in memory of its own: small Buffers share theirs. */
function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength);
  bytes.copy(copy);
  return copy;
}
