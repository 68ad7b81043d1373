import type { Integrity, Path, Property, Shell } from './graph.ts';
import type { GraphBuilder } from './graph-builder.ts';

/** A function's name, read without running a static `get name()`; empty where it is no text. */
export function ownName(fn: Function): string {
  const name: unknown = Object.getOwnPropertyDescriptor(fn, 'name')?.value;
  return typeof name === 'string' ? name : '';
}

/** What of an object travels besides what its kind holds. */
export interface ShellOptions {
  /** The prototype that its kind is made with, as an intrinsic's expression. */
  readonly usualPrototype?: string | undefined;
  /** Keys that its kind brings along. */
  readonly skip?: (key: string | symbol, descriptor: PropertyDescriptor) => boolean;
}

/** Reads an object's prototype, properties and integrity into its node, without running a getter. */
export function fillShell(builder: GraphBuilder, node: Shell, object: object, options: ShellOptions = {}): void {
  fillPrototype(builder, node, { object, usual: options.usualPrototype });
  for (const key of Reflect.ownKeys(object)) {
    const descriptor = Reflect.getOwnPropertyDescriptor(object, key);
    if (descriptor === undefined || options.skip?.(key, descriptor) === true) continue;
    for (const member of [descriptor.value, descriptor.get, descriptor.set] as const) {
      if (typeof member === 'function' && !builder.holders.has(member)) builder.holders.set(member, object);
    }
    node.properties.push(readProperty(builder, key, { descriptor, owner: node.path }));
  }
  node.integrity = integrityOf(object);
}

export function readProperty(
  builder: GraphBuilder,
  key: string | symbol,
  { descriptor, owner }: { descriptor: PropertyDescriptor; owner: Path },
): Property {
  const path = { parent: owner, label: { key } };
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

/** Notes the prototype of an object where it isn't the `usual` one, given as an intrinsic's expression. */
export function fillPrototype(
  builder: GraphBuilder,
  node: Shell,
  { object, usual }: { object: object; usual: string | undefined },
): void {
  const prototype = Reflect.getPrototypeOf(object);
  if (usual !== undefined && builder.sources.intrinsics.find(prototype) === usual) return;
  node.prototype = builder.value(prototype, { parent: node.path, label: 'prototype' });
}

function integrityOf(object: object): Integrity {
  if (Object.isExtensible(object)) return 'extensible';
  if (Object.isFrozen(object)) return 'frozen';
  return Object.isSealed(object) ? 'sealed' : 'fixed';
}
