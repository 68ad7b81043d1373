import { types } from 'node:util';
import { isNode, type ModuleNode } from '../graph/nodes.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { readProperty } from './properties.ts';

/** Script IDs of functions that were looked up. `id` is undefined for a function without a script. */
const scripts = new WeakMap<Function, { readonly id: string | undefined }>();

/**
 * Notes what other modules added to a package's function or its prototype, such as plugins or methods that are installed on
 * first use. The module in the bundle lacks them, because it doesn't import those other modules.
 */
export function capturePatches(builder: GraphBuilder, node: ModuleNode, value: object): void {
  if (types.isModuleNamespaceObject(value) || types.isProxy(value) || builder.state?.isPaired(value) === true) return;
  const patches = patchesOf(builder, value, value);
  for (const patch of patches) node.properties.push(readProperty(builder, patch.key, { ...patch, owner: node.path }));
  if (patches.length > 0) builder.extras.push(node);
  const prototype: unknown = typeof value === 'function' ? Object.getOwnPropertyDescriptor(value, 'prototype')?.value : undefined;
  if (typeof prototype !== 'object' || prototype === null) return;
  const onPrototype = patchesOf(builder, value, prototype);
  if (onPrototype.length === 0) return;
  const member = builder.value(prototype, { parent: node.path, label: 'prototype' });
  // A prototype that travels by value has them already.
  if (!isNode(member) || member.kind === 'object') return;
  builder.extras.push(member);
  for (const patch of onPrototype) member.properties.push(readProperty(builder, patch.key, { ...patch, owner: member.path }));
}

interface Patch {
  readonly key: string | symbol;
  readonly descriptor: PropertyDescriptor;
}

/**
 * Returns the members that were added. For a function: those from another script. For any other object: those from the user's
 * code.
 */
function patchesOf(builder: GraphBuilder, owner: object, object: object): Patch[] {
  const fn = typeof owner === 'function' ? (owner as Function) : undefined;
  const own = fn === undefined ? undefined : scriptOf(builder, fn);
  const text = fn === undefined ? '' : Function.prototype.toString.call(fn);
  const isForeign = (member: unknown): boolean => {
    if (typeof member !== 'function' || types.isProxy(member) || member === fn) return false;
    if (text.includes(Function.prototype.toString.call(member))) return false;
    const script = scriptOf(builder, member);
    if (script === undefined || script === own) return false;
    const whose = builder.sources.origins.owner(script);
    return fn === undefined ? whose === 'user' : whose !== 'node';
  };
  return Reflect.ownKeys(object).flatMap((key) => {
    const descriptor = Reflect.getOwnPropertyDescriptor(object, key);
    if (descriptor === undefined || key === 'constructor' || key === 'prototype') return [];
    const { value, get, set } = descriptor;
    const isPatch = [value, get, set].some(isForeign);
    if (isPatch) for (const each of [value, get, set]) builder.patches.add(each);
    return isPatch ? [{ key, descriptor }] : [];
  });
}

function scriptOf({ sources }: GraphBuilder, fn: Function): string | undefined {
  const known = scripts.get(fn) ?? { id: sources.inspector.facts(fn).scriptId };
  scripts.set(fn, known);
  return known.id;
}
