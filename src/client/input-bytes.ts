import { types } from 'node:util';
import { ClipperError } from '../errors.ts';
import { elements, encodeInput, type InputType, isNumeric } from '../protocol/input-types.ts';
import { printShort } from '../util/print.ts';
import type { Input } from './wire.ts';

/**
 * The raw bytes of an input, its numbers converted to the input type's own. Throws E_INVALID_INPUT saying what was
 * expected and got.
 */
export function inputBytes(type: InputType, input: Input): Uint8Array {
  if (isNumeric(type)) return encodeInput(numbers(type, input));
  if (type === 'bytes') {
    if (types.isUint8Array(input)) return encodeInput(input);
    throw wrong(type, 'a Uint8Array', input);
  }
  if (typeof input === 'string') return encodeInput(input);
  throw wrong(type, 'a string', input);
}

function numbers(type: keyof typeof elements, input: unknown): Int32Array | Float32Array | Float64Array {
  const Elements = elements[type];
  if (input instanceof Elements) return input;
  const element = type === 'integers' ? 'integers of 32 bits' : 'numbers';
  if (!isList(input)) throw wrong(type, `an array of ${element}`, input);
  const values = new Elements(input.length);
  for (let index = 0; index < input.length; index++) {
    const value = input[index];
    if (typeof value !== 'number' || (type === 'integers' && (value | 0) !== value)) {
      throw wrong(type, `an array of ${element}`, value, ` at index ${index}`);
    }
    values[index] = value;
  }
  return values;
}

const isList = (input: unknown): input is ArrayLike<unknown> =>
  typeof input === 'object' && input !== null && 'length' in input && Number.isInteger(input.length);

const wrong = (type: InputType, expected: string, got: unknown, where = ''): ClipperError =>
  new ClipperError('E_INVALID_INPUT', `An input of type ${type} must be ${expected}, got ${printShort(got)}${where}`);

/** Whether a value can be an input of any type. */
export const isInput = (value: unknown): value is Input => typeof value === 'string' || isList(value);

/** A copy of an input: the caller may reuse the array before it is sent. Anything else is returned as it is. */
export function copyInput(input: Input): Input {
  // A Buffer's own `slice` doesn't copy.
  if (types.isTypedArray(input)) return Uint8Array.prototype.slice.call(input);
  return isList(input) ? Array.from(input as ArrayLike<number>) : input;
}
