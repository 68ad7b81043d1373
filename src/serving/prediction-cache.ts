import { LRUCache } from 'lru-cache';
import { type InputKey, isSameInput } from './input-key.ts';

/** An entry's size besides its texts. */
const overheadBytes = 160;

interface Entry {
  readonly input: InputKey;
  readonly output: string;
}

/**
 * Outputs by model version and input. Inputs are compared in full, so that no query gets another's output. The total size
 * of inputs and outputs is bounded: the least recently used entry is evicted first.
 */
export class PredictionCache {
  readonly #entries: LRUCache<string, Entry> | undefined;

  /** 0 bytes: no cache. */
  constructor(maxBytes: number) {
    this.#entries = maxBytes === 0 ? undefined : new LRUCache({ maxSize: maxBytes, sizeCalculation: bytesOf });
  }

  get isOn(): boolean {
    return this.#entries !== undefined;
  }

  get size(): { readonly bytes: number; readonly entries: number } {
    return { bytes: this.#entries?.calculatedSize ?? 0, entries: this.#entries?.size ?? 0 };
  }

  /** `generation` distinguishes deploys of the same name and version. */
  get(generation: string, input: InputKey): string | undefined {
    const entry = this.#entries?.get(keyOf(generation, input));
    return entry !== undefined && isSameInput(entry.input, input) ? entry.output : undefined;
  }

  /** Keeps an output for `ttlMicros`, or until it is evicted. */
  set(generation: string, { text, bytes }: InputKey, output: string, ttlMicros?: number): void {
    // A view would keep a much larger buffer alive.
    const isPart = bytes !== undefined && bytes.buffer.byteLength > 2 * bytes.byteLength;
    const input = { text, bytes: isPart ? ownCopy(bytes) : bytes };
    const ttl = ttlMicros === undefined ? {} : { ttl: ttlMicros / 1_000 };
    this.#entries?.set(keyOf(generation, input), { input, output }, ttl);
  }
}

const keyOf = (generation: string, { text }: InputKey): string => `${generation} ${text}`;

const bytesOf = ({ input, output }: Entry): number =>
  input.text.length + (input.bytes?.byteLength ?? 0) + 2 * output.length + overheadBytes;

/** A copy outside Node's shared pool, which would otherwise stay alive. */
function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength);
  bytes.copy(copy);
  return copy;
}
