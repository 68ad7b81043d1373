import { LRUCache } from 'lru-cache';

/** What an entry takes besides its texts. */
const overheadBytes = 160;

/** Outputs by model version and input, bounded in bytes. The key is compared in full, so it can't give a wrong answer. */
export class PredictionCache {
  readonly #outputs: LRUCache<string, string> | undefined;

  /** 0 bytes: no cache. */
  constructor(maxBytes: number) {
    this.#outputs =
      maxBytes === 0
        ? undefined
        : new LRUCache({ maxSize: maxBytes, sizeCalculation: (text, key) => key.length + 2 * text.length + overheadBytes });
  }

  get isOn(): boolean {
    return this.#outputs !== undefined;
  }

  get size(): { readonly bytes: number; readonly entries: number } {
    return { bytes: this.#outputs?.calculatedSize ?? 0, entries: this.#outputs?.size ?? 0 };
  }

  /** `generation` tells apart what was deployed under the same name and version at different times. */
  key(generation: string, input: Uint8Array): string {
    return `${generation} ${Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString('latin1')}`;
  }

  get(key: string): string | undefined {
    return this.#outputs?.get(key);
  }

  /** Kept for `ttlMicros`, or as long as there is room. */
  set(key: string, output: string, ttlMicros: number | undefined): void {
    this.#outputs?.set(key, output, ttlMicros === undefined ? {} : { ttl: Math.ceil(ttlMicros / 1_000) });
  }
}
