import type { InputType } from '../../protocol/input-types.ts';

/** Typed arrays that hold a tensor's elements as its binary data does: little-endian. */
export const elementArrays = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

export type NumericDatatype = keyof typeof elementArrays;
type Datatype = NumericDatatype | 'BYTES';
export type Elements = InstanceType<(typeof elementArrays)[NumericDatatype]>;

/** The protocol's datatypes, but for the floats of 16 bits. */
export const datatypes = [...(Object.keys(elementArrays) as NumericDatatype[]), 'BYTES'] as const;

/** The datatype of each input type. */
export const datatypeOf = {
  bytes: 'UINT8',
  integers: 'INT32',
  floats: 'FP32',
  doubles: 'FP64',
  strings: 'BYTES',
} as const satisfies Record<InputType, Datatype>;
