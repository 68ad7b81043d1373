import { Module } from 'node:module';
import { types } from 'node:util';
import { CompactObject } from '../graph/data-nodes.ts';
import type { ObjectNode } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import type { FreeName } from '../syntax/syntax.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { readProperty } from './properties.ts';

/** Returns the members read from a name, if the name has no other use. */
export function memberKeys({ uses }: FreeName): ReadonlySet<string> | undefined {
  const keys = uses.map(({ member }) => member?.key);
  return keys.includes(undefined) ? undefined : new Set(keys as string[]);
}

/**
 * Returns the members to capture of an object that stands for one of the user's own modules, as compilers to CommonJS write it
 * (`import_state.counter`). Returns undefined if the whole object must travel, for example if one export may be the `this` of
 * another.
 */
export function viewedMembers(builder: GraphBuilder, value: unknown, free: FreeName): ReadonlySet<string> | undefined {
  const keys = memberKeys(free);
  if (keys === undefined) return undefined;
  // CommonJS's own `module`. Only its `exports` are the user's.
  if (value instanceof Module) return keys.size === 1 && keys.has('exports') ? keys : undefined;
  if (!isModuleView(builder, value)) return undefined;
  const { origins, intrinsics } = builder.sources;
  const isCompiled = Object.hasOwn(value, '__esModule') || origins.exportsOf(value) === undefined;
  if (isCompiled) return keys;
  const prototype = Reflect.getPrototypeOf(value);
  const isPlain = prototype === null || intrinsics.find(prototype) === 'Object.prototype';
  const areOwn = [...keys].every((key) => Object.hasOwn(value, key));
  const areCalled = free.uses.some(({ member }) => member?.isCalled === true);
  return isPlain && areOwn && !areCalled ? keys : undefined;
}

/**
 * Returns the members to capture of a plain object that is used only by reading members, so that the rest stays behind. Returns
 * undefined if the whole object must travel.
 */
export function usedMembers(builder: GraphBuilder, value: unknown, free: FreeName): ReadonlySet<string> | undefined {
  const keys = readKeys(free);
  if (keys === undefined || typeof value !== 'object' || value === null || types.isProxy(value)) return undefined;
  const { intrinsics } = builder.sources;
  if (builder.known(value) !== undefined || intrinsics.find(Reflect.getPrototypeOf(value)) !== 'Object.prototype')
    return undefined;
  const own = Object.getOwnPropertyNames(value);
  // If all members are used, there is nothing to leave behind. A copy of the environment is refused as a whole.
  if (own.length <= keys.size || mayCopyEnvironment(own)) return undefined;
  const called = new Set(free.uses.flatMap(({ member }) => (member?.isCalled === true ? [member.key] : [])));
  const isMember = (key: string): boolean => {
    const { value: member } = Object.getOwnPropertyDescriptor(value, key) ?? {};
    return member !== undefined && !(called.has(key) && mayUseThis(member));
  };
  return [...keys].every(isMember) ? keys : undefined;
}

/** Whether an object may hold a copy of the process's environment, which is refused as a whole. */
const mayCopyEnvironment = (keys: readonly string[]): boolean =>
  keys.length >= 5 && 2 * keys.filter((key) => key in process.env).length > keys.length;

/** Returns the members read from a name, including those read through destructuring. */
function readKeys({ uses }: FreeName): ReadonlySet<string> | undefined {
  const keys = uses.flatMap(({ member, pattern }): readonly (string | undefined)[] => pattern ?? [member?.key]);
  return keys.length === 0 || keys.includes(undefined) ? undefined : new Set(keys as string[]);
}

const mayUseThis = (member: unknown): boolean =>
  typeof member === 'function' &&
  /\b(this|super|eval|arguments)\b|\[native code\]|^class\b/.test(Function.prototype.toString.call(member));

/** Whether an object is a module's exports, or a compiler's wrapper around them. */
function isModuleView(builder: GraphBuilder, value: unknown): value is object {
  if (typeof value !== 'object' || value === null || builder.known(value)?.kind === 'module') return false;
  const { origins, builtins } = builder.sources;
  if (builtins.find(value) !== undefined || origins.packageExports(value) !== undefined) return false;
  const { value: original } = Object.getOwnPropertyDescriptor(value, 'default') ?? {};
  return (
    origins.exportsOf(value) !== undefined || origins.exportsOf(original) !== undefined || builtins.find(original) !== undefined
  );
}

/** Returns the node of a module object with at least these members. Accessors travel as accessors, so they stay live. */
export function viewOf(
  builder: GraphBuilder,
  value: object,
  { members, path }: { members: ReadonlySet<string>; path: Path },
): ObjectNode {
  const whole = builder.known(value);
  const node = whole?.kind === 'object' ? whole : (builder.viewed.get(value) ?? new CompactObject(path));
  node.references++;
  if (node === whole) return node;
  node.expand();
  builder.viewed.set(value, node);
  const have = new Set(node.properties.map(({ key }) => key));
  for (const key of members) {
    const descriptor = Object.getOwnPropertyDescriptor(value, key);
    if (have.has(key) || descriptor === undefined) continue;
    node.properties.push(readProperty(builder, key, { descriptor, owner: path }));
  }
  return node;
}
