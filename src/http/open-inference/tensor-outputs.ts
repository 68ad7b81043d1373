import type { Answer } from '../../serving/query.ts';

/** The output tensor: numbers if every output is a number, or all are lists of one length; otherwise texts. */
export type OutputTensor =
  | { readonly datatype: 'FP64'; readonly shape: readonly number[]; readonly data: readonly number[] }
  | { readonly datatype: 'BYTES'; readonly shape: readonly number[]; readonly data: readonly string[] };

export function outputTensor(answers: readonly Answer[]): OutputTensor {
  const texts = answers.map(({ output }) => output);
  return numericTensor(texts) ?? { datatype: 'BYTES', shape: [texts.length], data: texts };
}

function numericTensor(texts: readonly string[]): OutputTensor | undefined {
  const values: unknown[] = [];
  for (const text of texts) {
    const value = parseNumbers(text);
    if (value === undefined) return undefined;
    values.push(value);
  }
  if (values.every((value) => typeof value === 'number')) return { datatype: 'FP64', shape: [values.length], data: values };
  const rows = values.filter((value): value is number[] => Array.isArray(value));
  const [{ length } = []] = rows;
  if (rows.length !== values.length || rows.some((row) => row.length !== length)) return undefined;
  return { datatype: 'FP64', shape: [rows.length, length], data: rows.flat() };
}

function parseNumbers(text: string): number | number[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  // JSON may write numbers that are beyond every double.
  if (Number.isFinite(value)) return value as number;
  return Array.isArray(value) && value.every(Number.isFinite) ? value : undefined;
}

/** A tensor's data as bytes: doubles little-endian, texts each behind its length as 32 bits. */
export function encodeTensor({ datatype, data }: OutputTensor): Uint8Array {
  if (datatype === 'FP64') return new Uint8Array(Float64Array.from(data).buffer);
  const parts = data.flatMap((text) => {
    const bytes = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return [length, bytes];
  });
  return Buffer.concat(parts);
}
