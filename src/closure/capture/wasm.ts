import type { HeapInspector } from '../heap/inspector.ts';

/** The parts of WebAssembly used here. Only the browser type libraries declare all of it. */
const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Module: {
      new (bytes: Uint8Array): object;
      exports(module: object): readonly object[];
      imports(module: object): readonly object[];
    };
  };
};

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** The exports and imports that a WebAssembly module declares. */
const surfaceOf = (module: object): string =>
  JSON.stringify([WebAssembly.Module.exports(module), WebAssembly.Module.imports(module)]);

/**
 * Returns the bytes that a WebAssembly module was compiled from: those kept by V8 for debuggers that produce a module with the
 * same exports and imports. Returns undefined if there are none, or several that differ.
 */
export function wasmBytes(inspector: HeapInspector, module: object): Uint8Array | undefined {
  const surface = surfaceOf(module);
  const found = inspector.wasmModules().filter((bytes) => surfaceOf(new WebAssembly.Module(bytes)) === surface);
  const [first] = found;
  return first !== undefined && found.every((each) => Buffer.from(first).equals(each)) ? first : undefined;
}

/** An expression for a function that creates a memory from its page count and contents. */
export const memoryMaker =
  '((initial, bytes) => { const memory = new WebAssembly.Memory({ initial }); new Uint8Array(memory.buffer).set(bytes); return memory; })';

/** Returns the contents of a memory up to the last nonzero byte. */
export function memoryBytes({ buffer }: WasmMemory): Uint8Array {
  const bytes = new Uint8Array(buffer);
  return bytes.slice(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
}

export const pageBytes = 65_536;
