import { types } from 'node:util';
import { runInThisContext } from 'node:vm';
import { isRequire } from '../capture/name-uses.ts';
import { classOf } from '../capture/private-fields.ts';
import { ownName } from '../capture/properties.ts';
import { refusalByKind } from '../capture/refusals.ts';
import { isPrimitive } from '../graph/nodes.ts';
import type { Builtins } from '../heap/builtins.ts';
import type { BoundFacts } from '../heap/inspector.ts';
import { type Intrinsics, isNative, symbolExpression } from '../heap/intrinsics.ts';
import { readExport } from '../heap/package-members.ts';
import { hashOf, type Kind, longest, primitiveReference, type SnapshotNode } from './snapshot.ts';

// Readers of values. Both the capturing process and the one that loads packages afresh use them.

type Names = { readonly intrinsics: Intrinsics; readonly builtins: Builtins };
type Identity = Pick<SnapshotNode, 'kind' | 'tag'>;

/** In bytes. Larger contents are assumed to be equal. */
const mostBytes = 16 * 2 ** 20;

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

/** Returns what identifies a value without following its references. */
export function identify(names: Names, value: object | symbol): Identity {
  if (typeof value === 'symbol') {
    const expression = symbolExpression(value);
    return expression === undefined ? { kind: 'symbol', tag: value.description ?? '' } : { kind: 'known', tag: expression };
  }
  const expression = names.intrinsics.find(value);
  if (expression !== undefined) return { kind: 'known', tag: expression };
  if (types.isProxy(value)) return { kind: 'leaf', tag: 'proxy' };
  // Which of its names is found depends on what the process has loaded.
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
    return { kind: isData ? 'data' : 'array', tag: '' };
  }
  if (types.isMap(value)) return { kind: 'map', tag: '' };
  if (types.isSet(value)) return { kind: 'set', tag: '' };
  if (types.isWeakMap(value) || types.isWeakSet(value)) return { kind: 'weak', tag: String(types.isWeakMap(value)) };
  if (ArrayBuffer.isView(value)) {
    const type = types.isUint8Array(value) ? 'Uint8Array' : Object.prototype.toString.call(value);
    return { kind: 'data', tag: `${type} ${value.byteLength}` };
  }
  if (types.isDate(value)) return { kind: 'data', tag: 'Date' };
  if (types.isRegExp(value)) return { kind: 'data', tag: RegExp.prototype.toString.call(value) };
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

/** Returns the content of a data object, either short or as a hash. */
export function contentOf(value: object): string {
  if (Array.isArray(value)) return value.every(isPrimitive) ? hashOf(value.map(primitiveReference).join()) : '';
  if (types.isDate(value)) return String(Date.prototype.getTime.call(value));
  if (!ArrayBuffer.isView(value)) return '';
  const { buffer, byteOffset, byteLength } = value;
  return byteLength > mostBytes ? '' : hashOf(new Uint8Array(buffer, byteOffset, byteLength));
}

const isStack = (value: object): boolean => /\n {4}at /.test(String(Reflect.getOwnPropertyDescriptor(value, 'stack')?.value));

/** An object's references. */
export interface Parts {
  readonly prototype: object | null;
  readonly properties: readonly (readonly [key: string | symbol, descriptor: PropertyDescriptor])[];
  readonly entries: readonly (readonly [key: unknown, value?: unknown])[];
}

const ofFunctions = new Set<string | symbol>(['length', 'name', 'arguments', 'caller']);

export function partsOf(value: object, kind: Kind): Parts {
  const properties: [string | symbol, PropertyDescriptor][] = [];
  const isNamespace = types.isModuleNamespaceObject(value);
  const isListed = kind === 'data' && (Array.isArray(value) || ArrayBuffer.isView(value));
  for (const key of isListed ? [] : Reflect.ownKeys(value)) {
    if ((kind === 'function' && ofFunctions.has(key)) || (kind === 'array' && key === 'length')) continue;
    // An error's stack isn't state.
    if (key === 'stack' && (types.isNativeError(value) || isStack(value))) continue;
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

/** Built-in objects that programs extend, as expressions. */
export const extensible: readonly string[] = [
  'globalThis',
  ...['Reflect', 'Math', 'JSON', 'Intl'],
  ...[...classes, ...collections].flatMap((name) => [name, `${name}.prototype`]),
];

/**
 * Returns the members of a built-in object that neither the language nor Node defined, or undefined if there is no such object.
 */
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

const notWalked = new Set<Kind>(['known', 'leaf', 'symbol', 'beyond']);

/** Whether a value has more than its identity. */
export const isWalked = (kind: Kind): boolean => !notWalked.has(kind);

/** Names that aren't variables, and variables that every CommonJS module has. */
const noVariables = new Set(['module', 'require', 'exports', 'this', 'arguments', 'new.target']);

export const isVariable = (name: string): boolean =>
  !noVariables.has(name) && /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(name);
