import { ClipperError } from '../errors.ts';

/** Clipper's input types. The index is the code on the wire. */
export const inputTypes = ['bytes', 'integers', 'floats', 'doubles', 'strings'] as const;
/** The type of a model's inputs. */
export type InputType = (typeof inputTypes)[number];

/** The in-memory value of an input, by type. */
export interface InputValues {
  readonly bytes: Uint8Array;
  readonly integers: Int32Array;
  readonly floats: Float32Array;
  readonly doubles: Float64Array;
  readonly strings: string;
}

const spellings: Readonly<Record<InputType, readonly string[]>> = {
  bytes: ['b', 'byte', 'bytes'],
  integers: ['i', 'int', 'ints', 'integer', 'integers'],
  floats: ['f', 'float', 'floats'],
  doubles: ['d', 'double', 'doubles'],
  strings: ['s', 'str', 'strs', 'string', 'strings'],
};

/** Every spelling that Clipper accepts, for messages. */
export const inputTypeSpellings: string = Object.values(spellings).flat().join(' ');

const spelled = (text: string): InputType | undefined => inputTypes.find((type) => spellings[type].includes(text));

export const isInputTypeSpelling = (text: string): boolean => spelled(text) !== undefined;

/** The canonical name of an input type. Throws E_INVALID_OPTION for an unknown spelling. */
export function parseInputType(spelling: string): InputType {
  const found = spelled(spelling);
  if (found === undefined) {
    throw new ClipperError(
      'E_INVALID_OPTION',
      `Unknown input type ${JSON.stringify(spelling.slice(0, 80))}. Expected one of: ${inputTypeSpellings}`,
    );
  }
  return found;
}

export const inputTypeCode = (type: InputType): number => inputTypes.indexOf(type);

/** The input type with this code on the wire. Throws E_PROTOCOL for an unknown code. */
export function inputTypeOfCode(code: number): InputType {
  const type = inputTypes[code];
  if (type === undefined) throw new ClipperError('E_PROTOCOL', `Expected an input type code from 0 to 4, got ${code}`);
  return type;
}

const encoder = new TextEncoder();
// A leading byte order mark is part of the text.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The raw bytes of one input: numbers little-endian, strings utf8 without a terminator. */
export function encodeInput(value: InputValues[InputType]): Uint8Array {
  if (typeof value === 'string') return encoder.encode(value);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** The typed arrays of the numeric types. */
export const elements = { integers: Int32Array, floats: Float32Array, doubles: Float64Array };

export const isNumeric = (type: InputType): type is keyof typeof elements => Object.hasOwn(elements, type);

/** Decodes one input. Throws E_PROTOCOL if the length is not a multiple of the element size. */
export function decodeInput<T extends InputType>(type: T, frame: Uint8Array): InputValues[T] {
  return decodeFrame(type, frame) as InputValues[T];
}

function decodeFrame(type: InputType, frame: Uint8Array): InputValues[InputType] {
  if (type === 'strings') return decoder.decode(frame);
  if (type === 'bytes') return new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength);
  const Elements = elements[type];
  const size = Elements.BYTES_PER_ELEMENT;
  if (frame.byteLength % size !== 0) {
    throw new ClipperError('E_PROTOCOL', `Expected a multiple of ${size} bytes for ${type}, got ${frame.byteLength}`);
  }
  // A typed array must start at a multiple of its element size, and part of a received message may not. `new Uint8Array`
  // copies, which a Buffer's `slice` doesn't.
  const aligned = frame.byteOffset % size === 0 ? frame : new Uint8Array(frame);
  return new Elements(aligned.buffer as ArrayBuffer, aligned.byteOffset, frame.byteLength / size);
}
