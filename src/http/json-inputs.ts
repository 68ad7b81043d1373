import { ClipperError } from '../errors.ts';
import { encodeInput, type InputType, type InputValues } from '../protocol/input-types.ts';
import { printShort } from '../util/print.ts';

/** The bytes of one input, given as JSON. Throws E_INVALID_INPUT saying what was expected and got. */
export const inputBytes = (type: InputType, json: unknown): Uint8Array => encodeInput(readers[type](json));

const readers: { readonly [T in InputType]: (json: unknown) => InputValues[T] } = {
  bytes: readBase64,
  integers: (json) => Int32Array.from(numbers(json, 'integers', isInt32)),
  floats: (json) => Float32Array.from(numbers(json, 'floats')),
  doubles: (json) => Float64Array.from(numbers(json, 'doubles')),
  strings: (json) => {
    if (typeof json === 'string') return json;
    throw wrong('strings', 'a string', json);
  },
};

const isInt32 = (value: number): boolean => (value | 0) === value;

function numbers(json: unknown, type: InputType, isAllowed: (value: number) => boolean = () => true): readonly number[] {
  const element = type === 'integers' ? 'integers of 32 bits' : 'numbers';
  if (!Array.isArray(json)) throw wrong(type, `an array of ${element}`, json);
  const index = json.findIndex((value) => typeof value !== 'number' || !isAllowed(value));
  if (index === -1) return json as readonly number[];
  throw wrong(type, `an array of ${element}`, json[index], ` at index ${index}`);
}

function readBase64(json: unknown): Uint8Array {
  if (typeof json !== 'string') throw wrong('bytes', 'a string in base64', json);
  if (!/^[\w+/-]*={0,2}$/.test(json) || json.replace(/=+$/, '').length % 4 === 1)
    throw wrong('bytes', 'a string in base64', json);
  return Buffer.from(json, 'base64');
}

function wrong(type: InputType, expected: string, got: unknown, where = ''): ClipperError {
  return new ClipperError('E_INVALID_INPUT', `An input of type ${type} must be ${expected}, got ${printShort(got)}${where}`);
}

/** Parses a request's body. Throws E_MALFORMED_JSON, also for JSON that is no object. */
export function parseObject(body: unknown): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.isBuffer(body) ? body.toString() : '');
  } catch (error) {
    throw new ClipperError('E_MALFORMED_JSON', `Error parsing JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>;
  throw new ClipperError('E_MALFORMED_JSON', `Error parsing JSON: expected an object, got ${printShort(parsed)}`);
}
