import { LRUCache } from 'lru-cache';

/** Outputs by model version and input, bounded in bytes. The key is compared in full, so it can't give a wrong answer. */
export class PredictionCache {
  readonly #outputs: LRUCache<string, string> | undefined;

  /** 0 bytes: no cache. */
  constructor(maxBytes: number) {
    this.#outputs =
      maxBytes === 0
        ? undefined
        : new LRUCache({ maxSize: maxBytes, sizeCalculation: (text, key) => 2 * (text.length + key.length) + 64 });
  }

  get isOn(): boolean {
    return this.#outputs !== undefined;
  }

  /** `generation` tells apart what was deployed under the same name and version at different times. */
  key(generation: string, input: Uint8Array): string {
    return `${generation} ${Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString('latin1')}`;
  }

  get(key: string): string | undefined {
    return this.#outputs?.get(key);
  }

  set(key: string, output: string): void {
    this.#outputs?.set(key, output);
  }
}
