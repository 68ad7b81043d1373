import { isUtf8 } from 'node:buffer';
import { ClipperError } from '../../errors.ts';
import type { InputType } from '../../protocol/input-types.ts';
import { printShort } from '../../util/print.ts';
import { maxBatchInputs } from '../query/query-endpoints.ts';
import { datatypeOf, elementArrays, type NumericDatatype } from './datatypes.ts';
import { convertElements, parseElements, viewElements } from './numeric-tensors.ts';
import type { InputTensor } from './tensor-schemas.ts';

/** Where a tensor's elements are: behind the JSON, or in it. */
export type TensorData = Uint8Array | readonly unknown[];

const refuse = (message: string): ClipperError => new ClipperError('E_INVALID_INPUT', message);
const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);

/**
 * A tensor as inputs of an application, each its raw bytes. `[n, …]` is n inputs and `[length]` one; of BYTES each
 * element is an input. Throws E_INVALID_INPUT if shape, datatype and data don't match, or a value would change.
 */
export function tensorInputs(type: InputType, { datatype, shape }: InputTensor, data: TensorData): readonly Uint8Array[] {
  if (datatype === 'BYTES') return bytesInputs(type, shape, data);
  const own = datatypeOf[type];
  if (own === 'BYTES') throw refuse(`An application of ${type} takes the datatype BYTES, got ${datatype}`);
  const count = shape.length === 1 ? 1 : checkCount(shape[0] as number);
  const size = product(shape.slice(shape.length === 1 ? 0 : 1));
  const elements = convertElements(readElements(datatype, shape, data), datatype, own);
  const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
  const bytesEach = size * elementArrays[own].BYTES_PER_ELEMENT;
  return Array.from({ length: count }, (_, index) => bytes.subarray(index * bytesEach, (index + 1) * bytesEach));
}

function readElements(datatype: NumericDatatype, shape: readonly number[], data: TensorData) {
  if (!(data instanceof Uint8Array)) return parseElements(datatype, flatten(data, shape));
  const expected = product(shape) * elementArrays[datatype].BYTES_PER_ELEMENT;
  if (data.byteLength === expected) return viewElements(datatype, data);
  throw refuse(`A ${datatype} tensor of shape [${shape}] has ${expected} bytes, got ${data.byteLength}`);
}

function bytesInputs(type: InputType, shape: readonly number[], data: TensorData): readonly Uint8Array[] {
  if (type !== 'strings' && type !== 'bytes') throw refuse(`An application of ${type} takes numbers, got the datatype BYTES`);
  const [count = 0, ...rest] = shape;
  if (product(rest) !== 1) throw refuse(`A BYTES tensor must have the shape [n] or [n,1], got [${shape}]`);
  checkCount(count);
  const elements = data instanceof Uint8Array ? splitElements(data) : flatten(data, shape).map(encodeText);
  if (elements.length !== count) throw refuse(`A BYTES tensor of shape [${shape}] has ${count} elements, got ${elements.length}`);
  const index = type === 'strings' ? elements.findIndex((element) => !isUtf8(element)) : -1;
  if (index !== -1) throw refuse(`Strings must be UTF-8, which the element at index ${index} is not`);
  return elements;
}

function checkCount(count: number): number {
  if (count <= maxBatchInputs) return count;
  throw refuse(`A tensor may hold ${maxBatchInputs} inputs at most, got ${count}: send several requests`);
}

function encodeText(value: unknown, index: number): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value);
  throw refuse(`Expected data of BYTES to be strings, got ${printShort(value)} at index ${index}`);
}

/** BYTES elements: each its length as 32 bits, little-endian, and its bytes. */
function splitElements(data: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const elements: Uint8Array[] = [];
  for (let at = 0; at < data.byteLength; ) {
    const start = at + 4;
    const end = start <= data.byteLength ? start + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (end > data.byteLength) throw refuse(`The BYTES element at index ${elements.length} ends behind the tensor's data`);
    elements.push(data.subarray(start, end));
    at = end;
  }
  return elements;
}

/** JSON data, flat or nested as the shape says, as a flat list. */
function flatten(data: readonly unknown[], shape: readonly number[]): readonly unknown[] {
  const [count, ...rest] = shape;
  if (rest.length === 0 || !data.some(Array.isArray)) {
    if (data.length === product(shape)) return data;
    throw refuse(`Data of shape [${shape}] has ${product(shape)} elements, got ${data.length}`);
  }
  if (data.length !== count) throw refuse(`Data of shape [${shape}] has ${count} rows, got ${data.length}`);
  return data.flatMap((row) => {
    if (Array.isArray(row)) return flatten(row, rest);
    throw refuse(`Data of shape [${shape}] must be flat or nested, got ${printShort(row)} among its rows`);
  });
}
