import { types } from 'node:util';
import type { HeapInspector } from '../heap/inspector.ts';
import { memoryBytes, memoryMaker, pageBytes, type WasmMemory, wasmBytes } from './wasm.ts';

type Values = readonly (string | number | bigint | boolean | symbol | object | undefined)[];

/** How to recreate an object with internal state: a maker and its arguments. */
export interface Recipe {
  readonly maker: string;
  readonly prototype: string;
  readonly values: Values;
}

/**
 * How to recreate objects of one class. `maker` defaults to the constructor. `values` returns its arguments, or undefined if
 * they can't be read.
 */
interface Kind {
  readonly maker?: string;
  readonly values: (value: never, inspector: HeapInspector) => Values | undefined;
}

const text: Kind = { values: (value: object) => [String(value)] };
const intl: Kind = {
  values: (value: Intl.NumberFormat) => {
    const { locale, ...settings } = value.resolvedOptions();
    return [locale, settings];
  },
};
const temporal = (name: string): Kind => ({ ...text, maker: `Temporal.${name}.from` });

interface Duration extends Readonly<Record<(typeof durationUnits)[number], number>> {}
const durationUnits = [
  'years',
  'months',
  'weeks',
  'days',
  'hours',
  'minutes',
  'seconds',
  'milliseconds',
  'microseconds',
  'nanoseconds',
] as const;

/** By class name. */
const kinds: Readonly<Record<string, Kind>> = {
  DOMException: { values: ({ message, name }: DOMException) => [message, name] },
  Headers: { values: (value: Headers) => [[...value]] },
  URL: { values: ({ href }: URL) => [href] },
  URLPattern: { values: urlPatternValues },
  URLSearchParams: text,
  TextEncoder: { values: () => [] },
  TextDecoder: {
    maker: '((encoding, fatal, ignoreBOM) => new TextDecoder(encoding, { fatal, ignoreBOM }))',
    values: ({ encoding, fatal, ignoreBOM }: InstanceType<typeof TextDecoder>) => [encoding, fatal, ignoreBOM],
  },
  'Intl.Collator': intl,
  'Intl.DateTimeFormat': intl,
  'Intl.DisplayNames': intl,
  'Intl.DurationFormat': intl,
  'Intl.ListFormat': intl,
  'Intl.Locale': text,
  'Intl.NumberFormat': intl,
  'Intl.PluralRules': intl,
  'Intl.RelativeTimeFormat': intl,
  'Intl.Segmenter': intl,
  // A Duration's text merges milliseconds into seconds, so its units are read one by one.
  'Temporal.Duration': { values: (value: Duration) => durationUnits.map((unit) => value[unit]) },
  'Temporal.Instant': temporal('Instant'),
  'Temporal.PlainDate': temporal('PlainDate'),
  'Temporal.PlainDateTime': temporal('PlainDateTime'),
  'Temporal.PlainMonthDay': temporal('PlainMonthDay'),
  'Temporal.PlainTime': temporal('PlainTime'),
  'Temporal.PlainYearMonth': temporal('PlainYearMonth'),
  'Temporal.ZonedDateTime': temporal('ZonedDateTime'),
  'WebAssembly.Memory': {
    maker: memoryMaker,
    values: (value: WasmMemory) => [value.buffer.byteLength / pageBytes, memoryBytes(value)],
  },
  'WebAssembly.Module': {
    values: (value: object, inspector) => {
      const bytes = wasmBytes(inspector, value);
      return bytes && [bytes];
    },
  },
};

const errorNames = ['EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError', 'AggregateError'];

/** Returns the recipe of an object by its closest built-in prototype, or undefined if there is no recipe. */
export function recipeOf(value: object, base: string | undefined, inspector: HeapInspector): Recipe | undefined {
  const name = base?.endsWith('.prototype') ? base.slice(0, -'.prototype'.length) : '';
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  // Must run before the check for errors: as of Node 26, a DOMException is an Error.
  if (kind === undefined) return recipeOfSlots(value, name);
  const values = kind.values(value as never, inspector);
  return values && { maker: kind.maker ?? `new ${name}`, prototype: `${name}.prototype`, values };
}

/** Handles objects that are recognized by their internal slots, whatever their prototype. */
function recipeOfSlots(value: object, name: string): Recipe | undefined {
  if (types.isDate(value)) {
    return { maker: 'new Date', prototype: 'Date.prototype', values: [Date.prototype.getTime.call(value)] };
  }
  if (types.isRegExp(value)) {
    return { maker: 'new RegExp', prototype: 'RegExp.prototype', values: [value.source, value.flags] };
  }
  if (types.isNativeError(value)) return recipeOfError(value, errorNames.includes(name) ? name : 'Error');
  if (!types.isBoxedPrimitive(value)) return undefined;
  const primitive: unknown = (value as { valueOf(): unknown }).valueOf();
  const prototypes = { number: 'Number', string: 'String', boolean: 'Boolean', bigint: 'BigInt', symbol: 'Symbol' };
  const prototype = `${prototypes[typeof primitive as keyof typeof prototypes]}.prototype`;
  return { maker: 'Object', prototype, values: [primitive as string] };
}

function recipeOfError(error: Error, name: string): Recipe {
  const prototype = `${name}.prototype`;
  if (Object.hasOwn(error, 'stack')) {
    return { maker: `new ${name}`, prototype, values: name === 'AggregateError' ? [''] : [] };
  }
  const maker = `(() => { const error = new ${name}(); delete error.stack; return error; })`;
  return { maker, prototype, values: [] };
}

const patternParts = ['protocol', 'username', 'password', 'hostname', 'port', 'pathname', 'search', 'hash'] as const;

interface UrlPattern extends Readonly<Record<(typeof patternParts)[number], string>> {
  readonly hasRegExpGroups: boolean;
  test(input: object): boolean;
}

/** No property tells whether a pattern ignores case, so match it against a sample URL. */
function urlPatternValues(pattern: UrlPattern): Values | undefined {
  const parts = Object.fromEntries(patternParts.map((part) => [part, pattern[part]]));
  const sample = Object.fromEntries(patternParts.map((part) => [part, sampleOf(pattern[part])]));
  if (!pattern.test(sample)) return undefined;
  const swapped = { ...sample };
  for (const part of ['pathname', 'search', 'hash']) swapped[part] = swapCase(sample[part] ?? '');
  const ignoreCase = pattern.test(swapped);
  return ignoreCase && pattern.hasRegExpGroups ? undefined : [parts, { ignoreCase }];
}

/** Returns a text that matches a part of a pattern, unless the part has regular expression groups. */
const sampleOf = (part: string): string =>
  part
    .replace(/\\(.)|[{}]|\*/g, '$1')
    .replace(/:[\p{L}_$][\p{L}\d_$]*/gu, '1')
    .replace(/(?<=1)[?+*]/g, '');

const swapCase = (value: string): string =>
  value.replace(/\p{L}/gu, (letter) => (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()));
