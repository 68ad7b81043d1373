import { ClipperError } from '../errors.ts';

const encoder = new TextEncoder();

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const utf8 = (text: string): Uint8Array => encoder.encode(text);
export const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
export const textOf = (frame: Uint8Array): string => bufferOf(frame).toString('utf8');

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, true);
  return bytes;
}

/** A sequence of u64 in one frame. Values must be safe integers. */
export function u64s(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 8);
  const view = viewOf(bytes);
  values.forEach((value, index) => {
    view.setUint32(index * 8, value % 2 ** 32, true);
    view.setUint32(index * 8 + 4, Math.floor(value / 2 ** 32), true);
  });
  return bytes;
}

export function readU32(frame: Uint8Array | undefined, what: string): number {
  if (frame?.byteLength !== 4) {
    throw new ClipperError('E_PROTOCOL', `Expected 4 bytes for the ${what}, got ${frame?.byteLength ?? 'no frame'}`);
  }
  return viewOf(frame).getUint32(0, true);
}

export function readU64s(frame: Uint8Array | undefined, what: string): number[] {
  if (frame === undefined || frame.byteLength % 8 !== 0) {
    const got = frame === undefined ? 'no frame' : `${frame.byteLength} bytes`;
    throw new ClipperError('E_PROTOCOL', `Expected a sequence of u64 for the ${what}, got ${got}`);
  }
  const view = viewOf(frame);
  return Array.from(
    { length: frame.byteLength / 8 },
    (_, index) => view.getUint32(index * 8, true) + view.getUint32(index * 8 + 4, true) * 2 ** 32,
  );
}
