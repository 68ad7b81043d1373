import { inspect } from 'node:util';

const maxLength = 80;

/** Prints a value for an error message: short, however large, deep or odd it is. */
export function printShort(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text =
    typeof value === 'string'
      ? JSON.stringify(value.slice(0, maxLength + 1))
      : inspect(value, { depth: 2, maxArrayLength: 8, maxStringLength: maxLength, breakLength: Number.POSITIVE_INFINITY });
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
}
