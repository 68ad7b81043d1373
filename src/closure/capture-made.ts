import { types } from 'node:util';
import { fillShell } from './capture-properties.ts';
import { memoryBytes, memoryMaker, pageBytes, type WasmMemory, wasmBytes } from './capture-wasm.ts';
import type { Node, Path } from './graph.ts';
import type { GraphBuilder } from './graph-builder.ts';

/** How a kind of object is made again: its constructor, and what it is called with. */
interface Recipe {
  readonly maker: string;
  readonly prototype: string;
  readonly values: readonly (string | number | bigint | boolean | symbol | object | undefined)[];
}

const intlNames = [
  'NumberFormat',
  'DateTimeFormat',
  'Collator',
  'PluralRules',
  'RelativeTimeFormat',
  'ListFormat',
  'DisplayNames',
  'Segmenter',
  'DurationFormat',
];
const errorNames = ['EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError', 'AggregateError'];

/** The closest prototype of an object that the language or Node provides. */
function intrinsicBase({ sources: { intrinsics } }: GraphBuilder, value: object): string | undefined {
  for (let each = Reflect.getPrototypeOf(value); each !== null && !types.isProxy(each); each = Reflect.getPrototypeOf(each)) {
    const found = intrinsics.find(each);
    if (found !== undefined) return found;
  }
  return undefined;
}

function recipeOf(builder: GraphBuilder, value: object): Recipe | undefined {
  const base = intrinsicBase(builder, value);
  const is = (expression: string): boolean => base === expression;
  if (types.isDate(value))
    return { maker: 'new Date', prototype: 'Date.prototype', values: [Date.prototype.getTime.call(value)] };
  if (types.isRegExp(value)) {
    return { maker: 'new RegExp', prototype: 'RegExp.prototype', values: [value.source, value.flags] };
  }
  if (types.isBoxedPrimitive(value)) {
    const primitive: unknown = (value as { valueOf(): unknown }).valueOf();
    const type = { number: 'Number', string: 'String', boolean: 'Boolean', bigint: 'BigInt', symbol: 'Symbol' }[
      typeof primitive as 'string'
    ];
    return { maker: 'Object', prototype: `${type}.prototype`, values: [primitive as string] };
  }
  // Before the errors, of which it is one from Node 26 on.
  if (is('DOMException.prototype')) {
    const { message, name } = value as DOMException;
    return { maker: 'new DOMException', prototype: 'DOMException.prototype', values: [message, name] };
  }
  if (types.isNativeError(value)) {
    const name = errorNames.find((each) => is(`${each}.prototype`)) ?? 'Error';
    if (!Object.hasOwn(value, 'stack')) {
      return {
        maker: `(() => { const error = new ${name}(); delete error.stack; return error; })`,
        prototype: `${name}.prototype`,
        values: [],
      };
    }
    return { maker: `new ${name}`, prototype: `${name}.prototype`, values: name === 'AggregateError' ? [''] : [] };
  }
  if (is('URL.prototype')) return { maker: 'new URL', prototype: 'URL.prototype', values: [(value as URL).href] };
  if (is('URLSearchParams.prototype')) {
    return { maker: 'new URLSearchParams', prototype: 'URLSearchParams.prototype', values: [String(value)] };
  }
  if (is('TextEncoder.prototype')) return { maker: 'new TextEncoder', prototype: 'TextEncoder.prototype', values: [] };
  if (is('Headers.prototype')) return { maker: 'new Headers', prototype: 'Headers.prototype', values: [[...(value as Headers)]] };
  const intl = intlNames.find((name) => is(`Intl.${name}.prototype`));
  if (intl !== undefined) {
    const { locale, ...settings } = (value as Intl.NumberFormat).resolvedOptions();
    return { maker: `new Intl.${intl}`, prototype: `Intl.${intl}.prototype`, values: [locale, settings] };
  }
  if (is('WebAssembly.Module.prototype')) {
    const bytes = wasmBytes(builder.sources.inspector, value);
    return bytes && { maker: 'new WebAssembly.Module', prototype: 'WebAssembly.Module.prototype', values: [bytes] };
  }
  if (is('WebAssembly.Memory.prototype')) {
    const memory = value as WasmMemory;
    const pages = memory.buffer.byteLength / pageBytes;
    return { maker: memoryMaker, prototype: 'WebAssembly.Memory.prototype', values: [pages, memoryBytes(memory)] };
  }
  if (is('Intl.Locale.prototype'))
    return { maker: 'new Intl.Locale', prototype: 'Intl.Locale.prototype', values: [String(value)] };
  if (!is('TextDecoder.prototype')) return undefined;
  const { encoding, fatal, ignoreBOM } = value as unknown as { encoding: string; fatal: boolean; ignoreBOM: boolean };
  const maker = '((encoding, fatal, ignoreBOM) => new TextDecoder(encoding, { fatal, ignoreBOM }))';
  return { maker, prototype: 'TextDecoder.prototype', values: [encoding, fatal, ignoreBOM] };
}

/** The parameters of a URL are a part of it, and change with it. */
function registerParameters(builder: GraphBuilder, owner: Node, url: URL): void {
  const parameters = Object.getOwnPropertyDescriptor(URL.prototype, 'searchParams')?.get?.call(url) as object;
  if (builder.known(parameters) !== undefined) return;
  owner.references++;
  const shell = builder.shell(owner.path);
  builder.register(parameters, { ...shell, kind: 'member', owner, key: 'searchParams', role: 'value' });
}

/** Objects with internal state that a constructor call gives again. */
export function captureMade(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  const recipe = recipeOf(builder, value);
  if (recipe === undefined) return undefined;
  const values = recipe.values.map((each) => builder.value(each, path));
  builder.evaluated.push(...values);
  const node = builder.register(value, { ...builder.shell(path), kind: 'made', maker: recipe.maker, values });
  const isBoxedString = recipe.prototype === 'String.prototype';
  const isNodes = /URL|Text|Headers|DOMException/.test(recipe.prototype);
  const skip = (key: string | symbol, { writable, enumerable }: PropertyDescriptor): boolean =>
    (isBoxedString && writable === false && (enumerable === true || key === 'length')) ||
    (isNodes && typeof key === 'symbol') ||
    (key === 'lastIndex' && (value as RegExp).lastIndex === 0);
  builder.later(() => fillShell(builder, node, value, { usualPrototype: recipe.prototype, skip }));
  if (recipe.prototype === 'URL.prototype') registerParameters(builder, node, value as URL);
  return node;
}
