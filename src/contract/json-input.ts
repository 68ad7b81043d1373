import { ClipperError } from '../errors.ts';
import { elements, type InputType, isNumeric } from '../protocol/input-types.ts';
import { printShort } from '../util/print.ts';
import { z } from '../util/zod.ts';

/** One input in JSON, by input type. */
export const inputSchemas = {
  bytes: z
    .string()
    .regex(/^([\w+/-]{4})*([\w+/-]{2,3})?={0,2}$/)
    .describe('base64, also of the alphabet for URLs'),
  integers: z.array(z.int32()),
  floats: z.array(z.number()),
  doubles: z.array(z.number()),
  strings: z.string(),
} as const satisfies Record<InputType, z.ZodType>;

/** The bytes of one input, given as JSON. Throws E_INVALID_INPUT saying what was expected and got. */
export function inputBytes(type: InputType, json: unknown): Uint8Array {
  if (isNumeric(type)) return numberBytes(type, json);
  if (type === 'bytes') return readBase64(json);
  if (typeof json === 'string') return Buffer.from(json);
  throw wrong('strings', 'a string', json);
}

function numberBytes(type: keyof typeof elements, json: unknown): Uint8Array {
  const element = type === 'integers' ? 'integers of 32 bits' : 'numbers';
  if (!Array.isArray(json)) throw wrong(type, `an array of ${element}`, json);
  const Elements = elements[type];
  // Small Buffers come from a pool, where a typed array would have memory of its own.
  const bytes = Buffer.allocUnsafe(json.length * Elements.BYTES_PER_ELEMENT);
  const values = new Elements(bytes.buffer as ArrayBuffer, bytes.byteOffset, json.length);
  for (let index = 0; index < json.length; index++) {
    const value: unknown = json[index];
    const isRight = Number.isFinite(value) && (type !== 'integers' || ((value as number) | 0) === value);
    if (!isRight) throw wrong(type, `an array of ${element}`, value, ` at index ${index}`);
    values[index] = value as number;
  }
  return bytes;
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
