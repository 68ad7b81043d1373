import { ClipperError } from '../errors.ts';
import { printShort } from '../util/print.ts';

const nameRule = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const versionRule = /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/;

function checked(rule: RegExp, what: string, value: unknown): string {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text === 'string' && text.length <= 63 && rule.test(text)) return text;
  throw new ClipperError(
    'E_INVALID_OPTION',
    `The ${what} must be at most 63 lower-case letters, digits and inner "-"${rule === versionRule ? ' or "."' : ''}, got ${printShort(value)}`,
  );
}

/** A model's or application's name: a DNS-1123 label. Throws E_INVALID_OPTION. */
export const checkName = (value: unknown, what = 'name'): string => checked(nameRule, what, value);

/** A model's version, as text or number. Throws E_INVALID_OPTION. */
export const checkVersion = (value: unknown): string => checked(versionRule, 'version', value);

/** Labels may contain anything but Clipper's two separators. Throws E_INVALID_OPTION. */
export function checkLabel(label: string): string {
  if (/[:,]/.test(label)) throw new ClipperError('E_INVALID_OPTION', `A label may not contain ":" or ",", got "${label}"`);
  return label;
}

/** `name:version`, Clipper's key of a model version. */
export const modelKey = (name: string, version: string): string => `${name}:${version}`;
