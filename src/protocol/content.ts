import { ClipperError } from '../errors.ts';
import { bufferOf, readU64s, textOf, u64s, utf8 } from './bytes.ts';
import { type InputType, inputTypeCode, inputTypeOfCode } from './input-types.ts';

/** One output: its text or, if `failed`, a RemoteError as JSON. */
export interface Output {
  readonly text: string;
  readonly failed: boolean;
  /** Whether the output is this very text, rather than a value in JSON. */
  readonly isString?: boolean;
}

/** The inputs of a batch, which share one type. */
export interface Inputs {
  readonly inputType: InputType;
  readonly inputs: readonly Uint8Array[];
}

/** The outputs of a batch, and how long the function took, if the replica reports it. */
export interface Outputs {
  readonly outputs: readonly Output[];
  readonly computeMicros?: number;
}

/**
 * The wire format of outputs. `clipper`: one frame each. `statuses`: also a status each. `packed`: all outputs, statuses
 * and the compute time in one frame, because the cost of a message with many small outputs is in its frames, not its bytes.
 */
export type OutputForm = 'clipper' | 'statuses' | 'packed';

export const unexpected = (what: string, expected: string, got: unknown): ClipperError =>
  new ClipperError('E_PROTOCOL', `Expected ${expected} as the ${what}, got ${String(got)}`);

/** Header size, header, and one frame for each input or, if packed, one for all. */
export function encodeInputs({ inputType, inputs }: Inputs, isPacked: boolean): Uint8Array[] {
  const header = u64s([inputTypeCode(inputType), inputs.length, ...inputs.map(({ byteLength }) => byteLength)]);
  const size = u64s([header.byteLength]);
  return isPacked ? [size, header, Buffer.concat(inputs)] : [size, header, ...inputs];
}

/** Decodes inputs from the frames after the header size. Packed inputs are views of one buffer. Throws E_PROTOCOL. */
export function decodeInputs(headerFrame: Uint8Array | undefined, frames: readonly Uint8Array[]): Inputs {
  const [type = Number.NaN, count, ...sizes] = readU64s(headerFrame, 'request header');
  const inputType = inputTypeOfCode(type);
  if (count !== sizes.length) throw unexpected('input count', `${sizes.length} (the sizes in the header)`, count);
  const [only] = frames;
  if (frames.length === 1 && count !== 1 && only !== undefined) {
    const ends = endsOf(only, sizes, 'input');
    return { inputType, inputs: ends.map((end, index) => only.subarray(ends[index - 1] ?? 0, end)) };
  }
  if (count !== frames.length) throw unexpected('input count', `${frames.length} (the input frames)`, count);
  frames.forEach((input, index) => {
    if (sizes[index] !== input.byteLength) throw unexpected('input size', `${input.byteLength}`, sizes[index]);
  });
  return { inputType, inputs: frames };
}

/** Header size, header, and one frame for each output or, if packed, one for all. */
export function encodeOutputs({ outputs: given, computeMicros = 0 }: Outputs, form: OutputForm): Uint8Array[] {
  // Our server parses outputs that are JSON, so strings may need quotes. Clipper's own server gets the plain text.
  const outputs = form === 'clipper' ? given : given.map(quoted);
  if (form === 'packed') {
    const sizes = outputs.map(({ text }) => Buffer.byteLength(text));
    const header = u64s([sizes.length, ...sizes, ...outputs.map(statusOf), Math.round(computeMicros)]);
    const joined = utf8(outputs.map(({ text }) => text).join(''));
    // If a surrogate pair is split between two outputs, joining them changes their bytes.
    const isWhole = joined.byteLength === sizes.reduce((sum, size) => sum + size, 0);
    return [u64s([header.byteLength]), header, isWhole ? joined : Buffer.concat(outputs.map(({ text }) => utf8(text)))];
  }
  const texts = outputs.map(({ text }) => utf8(text));
  const statuses = form === 'statuses' ? outputs.map(statusOf) : [];
  const header = u64s([texts.length, ...texts.map(({ byteLength }) => byteLength), ...statuses]);
  return [u64s([header.byteLength]), header, ...texts];
}

/** Quotes a string that happens to be valid JSON, such as "90210". */
const quoted = (output: Output): Output =>
  output.isString === true && /^\s*["[{\-\dtfn]/.test(output.text) && isJson(output.text)
    ? { ...output, text: JSON.stringify(output.text) }
    : output;

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const statusOf = ({ failed }: Output): number => Number(failed);

/** Decodes outputs in any of the three forms from their header and the frames after it. Throws E_PROTOCOL. */
export function decodeOutputs(headerFrame: Uint8Array | undefined, frames: readonly Uint8Array[]): Outputs {
  const header = readU64s(headerFrame, 'response header');
  const count = header[0] ?? Number.NaN;
  const failed = (index: number): boolean => header[1 + count + index] === 1;
  if (header.length === 2 + 2 * count) {
    const [packed] = frames;
    if (packed === undefined || frames.length > 1) throw unexpected('packed outputs', 'one frame', `${frames.length} frames`);
    const bytes = bufferOf(packed);
    const ends = endsOf(packed, header.slice(1, 1 + count), 'output');
    const outputs = ends.map((end, index) => ({
      text: bytes.toString('utf8', ends[index - 1] ?? 0, end),
      failed: failed(index),
    }));
    return { outputs, computeMicros: header.at(-1) ?? 0 };
  }
  if (count !== frames.length) throw unexpected('output count', `${frames.length} (the output frames)`, count);
  if (header.length !== 1 + count && header.length !== 1 + 2 * count) {
    throw unexpected('header length', `${1 + count}, ${1 + 2 * count} or ${2 + 2 * count}`, header.length);
  }
  const outputs = frames.map((frame, index) => {
    if (header[1 + index] !== frame.byteLength) throw unexpected('output size', `${frame.byteLength}`, header[1 + index]);
    return { text: textOf(frame), failed: failed(index) };
  });
  return { outputs };
}

/** The end offsets of a frame's consecutive parts. */
function endsOf(frame: Uint8Array, sizes: readonly number[], what: string): number[] {
  let end = 0;
  const ends = sizes.map((size) => {
    end += size;
    return end;
  });
  if (end !== frame.byteLength) throw unexpected(`total ${what} size`, `${frame.byteLength}`, end);
  return ends;
}
