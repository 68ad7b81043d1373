import { readProperty } from './capture-properties.ts';
import type { ModuleNode, Node, Shell } from './graph.ts';
import type { GraphBuilder } from './graph-builder.ts';

/** Scripts of functions that were looked at; undefined for those without one. */
const scripts = new WeakMap<Function, { readonly id: string | undefined }>();

/**
 * Notes what other modules put on a function of a package or on its prototype: plugins, methods that are added when they
 * are first needed. The module in the bundle lacks them, as nothing there leads to those others.
 */
export function capturePatches(builder: GraphBuilder, node: ModuleNode, fn: Function): void {
  const prototype: unknown = Object.getOwnPropertyDescriptor(fn, 'prototype')?.value;
  const patches = patchesOf(builder, fn, fn);
  for (const patch of patches) node.properties.push(readProperty(builder, patch.key, { ...patch, owner: node.path }));
  if (typeof prototype !== 'object' || prototype === null) return;
  const onPrototype = patchesOf(builder, fn, prototype);
  if (onPrototype.length === 0) return;
  const member: Shell & Partial<Node> = builder.value(prototype, { parent: node.path, label: 'prototype' }) as Node;
  for (const patch of onPrototype) member.properties.push(readProperty(builder, patch.key, { ...patch, owner: member.path }));
}

interface Patch {
  readonly key: string | symbol;
  readonly descriptor: PropertyDescriptor;
}

function patchesOf(builder: GraphBuilder, fn: Function, object: object): Patch[] {
  const own = scriptOf(builder, fn);
  const text = Function.prototype.toString.call(fn);
  const isForeign = (member: unknown): boolean => {
    if (typeof member !== 'function' || member === fn || text.includes(Function.prototype.toString.call(member))) return false;
    const script = scriptOf(builder, member);
    return script !== undefined && script !== own && builder.sources.origins.owner(script) !== 'node';
  };
  return Reflect.ownKeys(object).flatMap((key) => {
    const descriptor = Reflect.getOwnPropertyDescriptor(object, key);
    if (descriptor === undefined || key === 'constructor' || key === 'prototype') return [];
    const { value, get, set } = descriptor;
    return [value, get, set].some(isForeign) ? [{ key, descriptor }] : [];
  });
}

function scriptOf({ sources }: GraphBuilder, fn: Function): string | undefined {
  const known = scripts.get(fn) ?? { id: sources.inspector.facts(fn).scriptId };
  scripts.set(fn, known);
  return known.id;
}
