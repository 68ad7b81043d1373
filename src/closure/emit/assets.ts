import { type BufferNode, extentOf } from '../graph/nodes.ts';
import type { ModuleFormat } from './format.ts';
import type { Names } from './names.ts';

/** A file of captured binary data. */
export interface Asset {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Data of at least this size gets its own file. */
const assetBytes = 4_096;

/** Returns the captured parts of a buffer. The gaps between them are zero. */
function bytesOf(node: BufferNode): Uint8Array {
  const { start, end } = extentOf(node);
  const all = new Uint8Array(node.buffer, start, end - start);
  if (node.ranges === undefined) return all;
  const bytes = new Uint8Array(all.length);
  for (const range of node.ranges) {
    bytes.set(all.subarray(range.start - start, range.end - start), range.start - start);
  }
  return bytes;
}

/** Writes large captured binary data to files next to the module, and small data into the module's text. */
export class AssetWriter {
  readonly assets: Asset[] = [];
  readonly #read: string;
  readonly #fs: string;
  readonly #format: ModuleFormat;

  constructor(names: Names, format: ModuleFormat) {
    this.#format = format;
    this.#read = names.fresh('readAsset');
    this.#fs = names.fresh('fs');
  }

  /** Returns the expression of an ArrayBuffer with the captured contents. */
  expression(node: BufferNode): string {
    if (node.maximum === undefined) return this.#fixed(node);
    const bytes = `new Uint8Array(${this.#fixed(node)})`;
    return `((bytes) => { const buffer = new ArrayBuffer(bytes.length, { maxByteLength: ${node.maximum} }); new Uint8Array(buffer).set(bytes); return buffer; })(${bytes})`;
  }

  #fixed(node: BufferNode): string {
    const bytes = bytesOf(node);
    if (bytes.byteLength === 0) return 'new ArrayBuffer(0)';
    if (bytes.byteLength < assetBytes) {
      const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
      return `Uint8Array.from(Buffer.from("${base64}", "base64")).buffer`;
    }
    const name = `${this.assets.length}.bin`;
    this.assets.push({ name, bytes });
    return `${this.#read}("${name}")`;
  }

  /** Returns the expression that reads a file as a Buffer. */
  file(asset: Asset): string {
    this.assets.push(asset);
    return `${this.#fs}.readFileSync(new URL("./assets/${asset.name}", ${this.#format.here}))`;
  }

  statements(): string[] {
    if (this.assets.length === 0) return [];
    this.#format.import(this.#fs, 'node:fs');
    return [
      `function ${this.#read}(name) {`,
      `  const bytes = ${this.#fs}.readFileSync(new URL("./assets/" + name, ${this.#format.here}));`,
      '  return bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : Uint8Array.from(bytes).buffer;',
      '}',
    ];
  }
}
