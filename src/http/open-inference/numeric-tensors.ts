import { ClipperError } from '../../errors.ts';
import type { InputType } from '../../protocol/input-types.ts';
import { printShort } from '../../util/print.ts';
import { type datatypeOf, type Elements, elementArrays, type NumericDatatype } from './datatypes.ts';

/** The datatypes of the input types. */
type OwnDatatype = Exclude<(typeof datatypeOf)[InputType], 'BYTES'>;

const misfit = (datatype: NumericDatatype, value: unknown, index: number): ClipperError =>
  new ClipperError('E_INVALID_INPUT', `Expected data of ${datatype}, got ${printShort(value)} at index ${index}`);

/** Binary data as elements, without a copy if it is aligned. */
export function viewElements(datatype: NumericDatatype, data: Uint8Array): Elements {
  const ElementArray = elementArrays[datatype];
  const size = ElementArray.BYTES_PER_ELEMENT;
  // A typed array must start at a multiple of its element size, which a part of a request's body may not.
  const aligned = data.byteOffset % size === 0 ? data : new Uint8Array(data);
  return new ElementArray(aligned.buffer as ArrayBuffer, aligned.byteOffset, data.byteLength / size);
}

/** JSON elements as those of a datatype; decimals are rounded to its floats. Throws E_INVALID_INPUT for what it can't hold. */
export function parseElements(datatype: NumericDatatype, data: readonly unknown[]): Elements {
  const elements = new elementArrays[datatype](data.length);
  const isBig = elements instanceof BigInt64Array || elements instanceof BigUint64Array;
  const isFloat = datatype === 'FP32' || datatype === 'FP64';
  data.forEach((value, index) => {
    const number = datatype === 'BOOL' && typeof value === 'boolean' ? Number(value) : value;
    if (typeof number !== 'number') throw misfit(datatype, value, index);
    // Beyond 2^53, JSON's numbers can't be told from their neighbours.
    if (isBig && !Number.isSafeInteger(number)) throw misfit(datatype, value, index);
    elements[index] = isBig ? BigInt(number) : number;
    const kept = Number(elements[index]);
    if (isFloat ? !Number.isFinite(kept) : kept !== number) throw misfit(datatype, value, index);
  });
  return elements;
}

/** Elements as those of another datatype. Throws E_INVALID_INPUT if a value would change. */
export function convertElements(elements: Elements, from: NumericDatatype, to: OwnDatatype): Elements {
  if (from === to) return elements;
  // Bytes have no sign: those of INT8 are the same bytes.
  if (from === 'INT8' && to === 'UINT8') return new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
  const converted = new elementArrays[to](elements.length);
  for (let index = 0; index < elements.length; index++) {
    const value = elements[index] as number | bigint;
    converted[index] = Number(value);
    if (!isSame(converted[index] as number, value)) {
      const message = `The ${from} value ${value} at index ${index} is not a valid ${to}, the application's type`;
      throw new ClipperError('E_INVALID_INPUT', message);
    }
  }
  return converted;
}

function isSame(converted: number, value: number | bigint): boolean {
  if (typeof value === 'bigint') return BigInt(converted) === value;
  return converted === value || (Number.isNaN(converted) && Number.isNaN(value));
}
