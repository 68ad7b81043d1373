import { types } from 'node:util';
import type { DataNode } from '../graph/nodes.ts';
import { type Integrity, isPrimitive, type Property, type Shell, type Value } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import { isNative } from '../heap/intrinsics.ts';
import type { GraphBuilder } from './graph-builder.ts';

/** Returns a function's name without running a static `get name()`. Empty if the name isn't a string. */
export function ownName(fn: Function): string {
  const name: unknown = Object.getOwnPropertyDescriptor(fn, 'name')?.value;
  return typeof name === 'string' ? name : '';
}

/** Options for reading an object's own properties and prototype. */
export interface ShellOptions {
  /** The default prototype of this kind of object, as an intrinsic's expression. */
  readonly usualPrototype?: string | undefined;
  /** Returns true for keys that this kind of object has by itself. */
  readonly skip?: (key: string | symbol, descriptor: PropertyDescriptor) => boolean;
}

/**
 * Reads an object or array into its node: in compact form if all properties are plain, otherwise property by property. There
 * may be millions of objects, so this allocates little that isn't kept.
 */
export function captureData(builder: GraphBuilder, node: DataNode, object: object): void {
  const usualPrototype = node.kind === 'array' ? 'Array.prototype' : 'Object.prototype';
  if (Object.isExtensible(object) && readPlain(builder, node, object)) {
    const { intrinsics } = builder.sources;
    if (intrinsics.find(Reflect.getPrototypeOf(object)) === usualPrototype) return;
    builder.later(() => fillPrototype(builder, node, { object, usual: usualPrototype }));
    return;
  }
  const skip = (key: string | symbol, { writable }: PropertyDescriptor): boolean =>
    node.kind === 'array' && key === 'length' && writable === true;
  node.expand();
  builder.later(() => fillShell(builder, node, object, { usualPrototype, skip }));
}

/** The keys of the last object. Consecutive objects with the same keys share one array. */
let lastKeys: readonly string[] = [];

/**
 * Reads plain properties into the node. Objects among the values become nodes later. Returns false if a property isn't plain.
 */
function readPlain(builder: GraphBuilder, node: DataNode, object: object): boolean {
  const own = Reflect.ownKeys(object);
  const isArray = node.kind === 'array';
  const count = isArray ? own.length - 1 : own.length;
  if (isArray && (count !== node.length || Reflect.getOwnPropertyDescriptor(object, 'length')?.writable !== true)) return false;
  const raws = new Array<unknown>(count);
  let isAlike = !isArray && lastKeys.length === count;
  let hasObjects = false;
  for (let index = 0; index < count; index++) {
    const key = own[index] as string | symbol;
    const found = typeof key === 'string' ? Reflect.getOwnPropertyDescriptor(object, key) : undefined;
    const isPlain = found !== undefined && found.writable === true && found.enumerable === true && found.configurable === true;
    if (!isPlain || (isArray && key !== String(index))) return false;
    isAlike &&= key === lastKeys[index];
    const raw: unknown = found.value;
    raws[index] = raw;
    hasObjects ||= !isPrimitive(raw);
    if (typeof raw === 'function' && !builder.holders.has(raw)) builder.holders.set(raw, object);
  }
  if (!isArray) {
    if (!isAlike) lastKeys = own as string[];
    node.keys = lastKeys;
  }
  node.values = raws as Value[];
  if (hasObjects) builder.laterValues(node);
  return true;
}

/** Reads an object's prototype, properties and integrity into its node, without running a getter. */
export function fillShell(builder: GraphBuilder, node: Shell, object: object, options: ShellOptions = {}): void {
  fillPrototype(builder, node, { object, usual: options.usualPrototype });
  fillProperties(builder, node, { object, keys: Reflect.ownKeys(object), skip: options.skip });
  node.integrity = integrityOf(object);
}

interface PropertiesToRead {
  readonly object: object;
  readonly keys: readonly (string | symbol)[];
  readonly skip?: ShellOptions['skip'];
}

export function fillProperties(builder: GraphBuilder, node: Shell, { object, keys, skip }: PropertiesToRead): void {
  for (const key of keys) {
    const descriptor = describe(object, key);
    if (descriptor === undefined || skip?.(key, descriptor) === true) continue;
    for (const member of [descriptor.value, descriptor.get, descriptor.set] as const) {
      if (typeof member === 'function' && !builder.holders.has(member)) builder.holders.set(member, object);
    }
    node.properties.push(readProperty(builder, key, { descriptor, owner: node.path }));
  }
}

/**
 * Returns a property as a program sees it. As of Node 22, V8 implements an error's `stack` as an own accessor, which is read
 * here as a data property.
 */
function describe(object: object, key: string | symbol): PropertyDescriptor | undefined {
  const found = Reflect.getOwnPropertyDescriptor(object, key);
  if (key !== 'stack' || typeof found?.get !== 'function' || !isStackGetter(found.get)) return found;
  const { enumerable = false, configurable = false } = found;
  return { value: Reflect.apply(found.get, object, []), writable: true, enumerable, configurable };
}

/** V8's own getter has no name. A bound function has one, and a proxy is excluded because reading it would run its handler. */
const isStackGetter = (get: Function): boolean => !types.isProxy(get) && ownName(get) === '' && isNative(get);

export function readProperty(
  builder: GraphBuilder,
  key: string | symbol,
  { descriptor, owner }: { descriptor: PropertyDescriptor; owner: Path },
): Property {
  const path = { parent: owner, label: key, isKey: true };
  const accessor = 'get' in descriptor;
  return {
    key: typeof key === 'string' ? key : (builder.value(key, path) as Property['key']),
    value: accessor ? undefined : builder.value(descriptor.value, path),
    get: accessor ? builder.value(descriptor.get, path) : undefined,
    set: accessor ? builder.value(descriptor.set, path) : undefined,
    accessor,
    writable: descriptor.writable === true,
    enumerable: descriptor.enumerable === true,
    configurable: descriptor.configurable === true,
  };
}

/** Notes an object's prototype unless it is the `usual` one, given as an intrinsic's expression. */
export function fillPrototype(
  builder: GraphBuilder,
  node: Shell,
  { object, usual }: { object: object; usual: string | undefined },
): void {
  const prototype = Reflect.getPrototypeOf(object);
  if (usual !== undefined && builder.sources.intrinsics.find(prototype) === usual) return;
  node.prototype = builder.value(prototype, { parent: node.path, label: 'prototype' });
}

export function integrityOf(object: object): Integrity {
  if (Object.isExtensible(object)) return 'extensible';
  if (Object.isFrozen(object)) return 'frozen';
  return Object.isSealed(object) ? 'sealed' : 'fixed';
}
