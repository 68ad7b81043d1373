import { createHash } from 'node:crypto';
import { types } from 'node:util';
import { runInThisContext } from 'node:vm';
import type { Builtins } from '../builtins.ts';
import { classOf } from '../capture-privates.ts';
import { ownName } from '../capture-properties.ts';
import { isRequire } from '../capture-uses.ts';
import { isPrimitive, type Primitive } from '../graph.ts';
import type { BoundFacts } from '../inspector.ts';
import { type Intrinsics, isNative, symbolExpression } from '../intrinsics.ts';
import { readExport } from '../package-members.ts';
import { refusalByKind } from '../refusals.ts';

// The state of packages as they are when they were just loaded, as JSON that another process can compare its own with.

/** A primitive as text that begins with its type, or the number of a node. */
export type Reference = string | number;

export type Kind =
  /** Node's or the language's, which every process has: nothing behind it is looked at. */
  | 'known'
  /** What is told by its tag alone. */
  | 'leaf'
  | 'binary'
  /** What is so far away that it is not looked at. */
  | 'beyond'
  | 'symbol'
  | 'function'
  | 'bound'
  | 'object'
  | 'array'
  | 'map'
  | 'set'
  | 'weak';

export interface SnapshotNode {
  readonly kind: Kind;
  /** Values with different tags are no counterparts of each other. */
  readonly tag: string;
  prototype?: Reference;
  /** A string key as it is, a symbol as its reference. An accessor has two references. */
  properties?: (readonly [key: string | readonly [Reference], value: Reference, set?: Reference])[];
  /** Private fields by their names, with the `#`. */
  privates?: (readonly [name: string, value: Reference])[];
  /** Of a bound function what it calls, with what `this` and arguments. */
  bound?: readonly Reference[];
  /** Of a Map keys and values, of a Set values. */
  entries?: (readonly [key: Reference, value?: Reference])[];
}

/** The variables of one call of a function, or of a module, that functions within have kept. */
export interface SnapshotScope {
  readonly file: string;
  readonly isModule: boolean;
  readonly names: readonly string[];
  readonly values: readonly Reference[];
  /** How many scopes are around it. */
  readonly depth: number;
  /** The functions through which it can be read: one, unless several may have such a scope each. */
  readonly through: number[];
  /** Whether its function was called no more than once, as far as is known. */
  isOnly: boolean;
  /** Whether its variables are never assigned, and hold functions that have nothing of their own. */
  isQuiet: boolean;
}

export interface Snapshot {
  /** Of the process that it was taken in, which began and ended then, in milliseconds since 1970. */
  readonly pid: number;
  readonly began: number;
  readonly ended: number;
  /** By file: the node of what the module exports. */
  readonly modules: Readonly<Record<string, { readonly isModule: boolean; readonly node: number }>>;
  /** The nodes of what was put on the language's own objects, by the expressions of those. */
  readonly additions: Readonly<Record<string, number>>;
  readonly nodes: readonly SnapshotNode[];
  readonly scopes: readonly SnapshotScope[];
}

const longest = 200;

const hashOf = (content: string | Uint8Array): string => createHash('sha1').update(content).digest('base64');

export function primitiveReference(value: Primitive): string {
  if (typeof value === 'string') return value.length > longest ? `#${hashOf(value)}` : `s${value}`;
  if (typeof value === 'number') return Object.is(value, -0) ? 'n-0' : `n${value}`;
  return value === null ? 'null' : `${typeof value}${String(value)}`;
}

/** A primitive as it is shown to people. */
export function printReference(reference: Reference, nodes: readonly SnapshotNode[]): string {
  if (typeof reference === 'number') return `a ${nodes[reference]?.kind ?? 'value'}`;
  if (reference.startsWith('s')) return JSON.stringify(reference.slice(1));
  if (reference.startsWith('#')) return 'a long text';
  return reference.replace(/^(?:n(?!ull$)|boolean|bigint)/, '').replace(/^undefined.*/, 'undefined');
}

type Names = { readonly intrinsics: Intrinsics; readonly builtins: Builtins };
type Identity = Pick<SnapshotNode, 'kind' | 'tag'>;

const textTags = new WeakMap<Function, string>();

function textTag(fn: Function): string {
  const known = textTags.get(fn);
  if (known !== undefined) return known;
  const tag = hashOf(Function.prototype.toString.call(fn));
  textTags.set(fn, tag);
  return tag;
}

export const boundParts = ({ target, boundThis, boundArguments }: BoundFacts): readonly unknown[] => [
  target,
  boundThis,
  ...boundArguments,
];

/** What can be told of a value without looking at what it leads to. */
export function identify(names: Names, value: object | symbol): Identity {
  if (typeof value === 'symbol') {
    const expression = symbolExpression(value);
    return expression === undefined ? { kind: 'symbol', tag: value.description ?? '' } : { kind: 'known', tag: expression };
  }
  const expression = names.intrinsics.find(value);
  if (expression !== undefined) return { kind: 'known', tag: expression };
  if (types.isProxy(value)) return { kind: 'leaf', tag: 'proxy' };
  // Under which of its names it is found depends on what the process has loaded.
  if (names.builtins.find(value) !== undefined) return { kind: 'known', tag: `builtin ${typeof value}` };
  return typeof value === 'function' ? identifyFunction(value) : identifyObject(names, value);
}

function identifyFunction(fn: Function): Identity {
  if (isNative(fn)) {
    const name = ownName(fn);
    return name.startsWith('bound ') ? { kind: 'bound', tag: name } : { kind: 'leaf', tag: `native ${name}` };
  }
  return isRequire(fn) ? { kind: 'leaf', tag: 'require' } : { kind: 'function', tag: textTag(fn) };
}

function identifyObject(names: Names, value: object): Identity {
  if (Array.isArray(value)) {
    const isData = value.length > longest && value.every(isPrimitive);
    return isData ? { kind: 'leaf', tag: hashOf(value.map(primitiveReference).join()) } : { kind: 'array', tag: '' };
  }
  if (types.isMap(value)) return { kind: 'map', tag: '' };
  if (types.isSet(value)) return { kind: 'set', tag: '' };
  if (types.isWeakMap(value) || types.isWeakSet(value)) return { kind: 'weak', tag: String(types.isWeakMap(value)) };
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return { kind: 'binary', tag: bytes.length > 100_000 ? String(bytes.length) : hashOf(bytes) };
  }
  if (types.isDate(value)) return { kind: 'leaf', tag: `date ${Date.prototype.getTime.call(value)}` };
  if (types.isRegExp(value)) return { kind: 'leaf', tag: `expression ${RegExp.prototype.toString.call(value)}` };
  const bound = refusalByKind(value) ?? (types.isAnyArrayBuffer(value) ? { what: 'an ArrayBuffer' } : undefined);
  return bound === undefined ? { kind: 'object', tag: classTag(names, value) } : { kind: 'leaf', tag: bound.what };
}

function classTag({ intrinsics, builtins }: Names, value: object): string {
  if (types.isModuleNamespaceObject(value)) return 'namespace';
  const prototype = Reflect.getPrototypeOf(value);
  if (prototype === null) return 'null';
  const known = intrinsics.find(prototype) ?? builtins.find(prototype)?.member.join('.');
  if (known !== undefined || types.isProxy(prototype)) return known ?? 'proxy';
  const owner = classOf(prototype);
  return owner === undefined || types.isProxy(owner) ? 'instance' : textTag(owner);
}

/** What an object leads to. */
export interface Parts {
  readonly prototype: object | null;
  readonly properties: readonly (readonly [key: string | symbol, descriptor: PropertyDescriptor])[];
  readonly entries: readonly (readonly [key: unknown, value?: unknown])[];
}

const ofFunctions = new Set<string | symbol>(['length', 'name', 'arguments', 'caller']);

export function partsOf(value: object, kind: Kind): Parts {
  const properties: [string | symbol, PropertyDescriptor][] = [];
  const isNamespace = types.isModuleNamespaceObject(value);
  for (const key of Reflect.ownKeys(value)) {
    if ((kind === 'function' && ofFunctions.has(key)) || (kind === 'array' && key === 'length')) continue;
    // Where an error was made is no state.
    if (key === 'stack' && types.isNativeError(value)) continue;
    if (!isNamespace) properties.push([key, Reflect.getOwnPropertyDescriptor(value, key) ?? {}]);
    else if (typeof key === 'string') properties.push([key, { value: readExport(value, key) }]);
  }
  const entries: [unknown, unknown?][] = [];
  if (kind === 'map') Map.prototype.forEach.call(value, (each, key) => entries.push([key, each]));
  if (kind === 'set') Set.prototype.forEach.call(value, (each) => entries.push([each]));
  return { prototype: Reflect.getPrototypeOf(value), properties, entries };
}

const classes = [
  'Object',
  'Function',
  'Array',
  'String',
  'Number',
  'Boolean',
  'Symbol',
  'BigInt',
  'Date',
  'RegExp',
  'Error',
  'Promise',
];
const collections = ['Map', 'Set', 'WeakMap', 'WeakSet', 'ArrayBuffer', 'Uint8Array', 'Iterator'];

/** What programs put members of their own on, as expressions. */
export const extensible: readonly string[] = [
  'globalThis',
  ...['Reflect', 'Math', 'JSON', 'Intl'],
  ...[...classes, ...collections].flatMap((name) => [name, `${name}.prototype`]),
];

/** What an object of the language's has that neither the language nor Node put there; undefined if there is no such object. */
export function additionsTo(names: Names, expression: string): { readonly holder: object; readonly parts: Parts } | undefined {
  const [name = '', ...members] = expression.split('.');
  let holder: unknown = runInThisContext(`globalThis.${name}`);
  for (const member of members) holder = (holder as Record<string, unknown> | undefined)?.[member];
  if (holder === undefined) return undefined;
  const properties = Reflect.ownKeys(holder as object).flatMap((key) => {
    const descriptor = Reflect.getOwnPropertyDescriptor(holder as object, key);
    return descriptor !== undefined && isAddition(names, { expression, key, descriptor }) ? [[key, descriptor] as const] : [];
  });
  return { holder: holder as object, parts: { prototype: null, properties, entries: [] } };
}

interface Member {
  readonly expression: string;
  readonly key: string | symbol;
  readonly descriptor: PropertyDescriptor;
}

function isAddition(names: Names, { expression, key, descriptor }: Member): boolean {
  if (expression === 'globalThis')
    return typeof key === 'string' && 'value' in descriptor && names.intrinsics.meaning(key).kind === 'user';
  return [descriptor.value, descriptor.get, descriptor.set].some(
    (each: unknown) => !isPrimitive(each) && !/^(?:known|leaf)$/.test(identify(names, each as object).kind),
  );
}

const notWalked = new Set<Kind>(['known', 'leaf', 'binary', 'symbol', 'beyond']);

/** Whether there is more to a value than its identity. */
export const isWalked = (kind: Kind): boolean => !notWalked.has(kind);

/** Names that are no variables, and variables that every CommonJS module has. */
const noVariables = new Set(['module', 'require', 'exports', 'this', 'arguments', 'new.target']);

export const isVariable = (name: string): boolean =>
  !noVariables.has(name) && /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(name);
