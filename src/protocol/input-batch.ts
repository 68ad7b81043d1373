import { ClipperError } from '../errors.ts';

/** The content type of a body with the raw bytes of one input. */
export const inputMediaType = 'application/octet-stream';
/** The content type of a body with several inputs, as `encodeInputBatch` writes them. */
export const inputsMediaType = 'application/vnd.clipper.inputs';

/** Aligns numbers of every type to their size. */
const alignment = 8;
const aligned = (length: number): number => Math.ceil(length / alignment) * alignment;
const headBytes = (count: number): number => aligned(4 + 4 * count);

/**
 * Several inputs in one body: their count and each byte length as u32, zeros up to a multiple of 8, then the inputs, each
 * padded with zeros to a multiple of 8. All numbers are little-endian.
 */
export function encodeInputBatch(inputs: readonly Uint8Array[]): Uint8Array {
  const head = headBytes(inputs.length);
  const body = new Uint8Array(inputs.reduce((sum, { byteLength }) => sum + aligned(byteLength), head));
  const view = new DataView(body.buffer);
  view.setUint32(0, inputs.length, true);
  let start = head;
  inputs.forEach((input, index) => {
    view.setUint32(4 + 4 * index, input.byteLength, true);
    body.set(input, start);
    start += aligned(input.byteLength);
  });
  return body;
}

/**
 * The inputs of a body, as views of it. Throws E_INVALID_INPUT with what was expected and found, also for more than
 * `maxInputs`.
 */
export function decodeInputBatch(body: Uint8Array, maxInputs = Number.POSITIVE_INFINITY): Uint8Array[] {
  const size = body.byteLength;
  if (size < 4) throw wrong('at least 4 bytes, the count of inputs', size);
  const view = new DataView(body.buffer, body.byteOffset, size);
  const count = view.getUint32(0, true);
  if (count > maxInputs)
    throw new ClipperError('E_INVALID_INPUT', `A batch may hold ${maxInputs} inputs at most, got ${count}: send several`);
  let start = headBytes(count);
  if (size < start) throw wrong(`at least ${start} bytes, the lengths of ${count} inputs`, size);
  const inputs = Array.from({ length: count }, (_, index) => {
    const length = view.getUint32(4 + 4 * index, true);
    const input = body.subarray(start, start + length);
    start += aligned(length);
    return input;
  });
  if (size !== start) throw wrong(`${start} bytes, which its head announces for ${count} inputs`, size);
  return inputs;
}

const wrong = (expected: string, got: number): ClipperError =>
  new ClipperError('E_INVALID_INPUT', `A body of ${inputsMediaType} must have ${expected}, got ${got}`);
