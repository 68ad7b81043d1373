import { isNode, type ModuleNode, type Node, type Value } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import type { FunctionFacts } from '../heap/inspector.ts';
import type { PackageMember } from '../heap/package-members.ts';
import { peekVariable } from '../heap/scopes.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { homeOf } from './home-objects.ts';
import { topScope } from './name-uses.ts';
import { capturePatches } from './patches.ts';
import { ownName } from './properties.ts';

/** Captures a method of a package's class, static or not, as a member of the class. */
export function capturePackageMethod(
  builder: GraphBuilder,
  fn: Function,
  { facts, path }: { facts: FunctionFacts; path: Path },
): Node | undefined {
  const key = ownName(fn);
  const home = key === '' ? undefined : homeOf(builder, fn, facts);
  if (home === undefined || builder.sources.origins.owner(facts.scriptId ?? '') !== 'package') return undefined;
  const label = `class ${ownName(home)}`;
  const isStatic = Object.getOwnPropertyDescriptor(home, key)?.value === fn;
  const prototype: unknown = Object.getOwnPropertyDescriptor(home, 'prototype')?.value;
  const isMember =
    typeof prototype === 'object' && prototype !== null && Reflect.getOwnPropertyDescriptor(prototype, key)?.value === fn;
  if (!isStatic && !isMember) return undefined;
  const owner = builder.value(isStatic ? home : (prototype as object), { parent: path, label });
  if (builder.known(fn) !== undefined) return builder.known(fn);
  if (!isNode(owner) || !bringsMembers(owner)) return undefined;
  return builder.register(fn, { ...builder.shell(path), kind: 'member', owner, key, role: 'value' });
}

/** Whether a class brings its methods along: it belongs to a package, or its text defines them. */
function bringsMembers(node: Value): boolean {
  if (!isNode(node)) return false;
  if (node.kind === 'member') return bringsMembers(node.owner);
  return node.kind === 'module' || (node.kind === 'function' && node.syntax.class !== undefined);
}

export function capturePackageFunction(builder: GraphBuilder, fn: Function, node: ModuleNode): Node {
  builder.later(() => capturePatches(builder, node, fn));
  return builder.register(fn, node);
}

/** Returns the place of a package's function: the top-level variable that holds it. */
export function insideMember(
  { sources: { origins } }: GraphBuilder,
  fn: Function,
  facts: FunctionFacts,
): PackageMember | undefined {
  const name = ownName(fn);
  const scope = topScope(facts);
  const value = scope === undefined ? undefined : peekVariable(scope, name);
  return value === fn && facts.scriptId !== undefined ? origins.inside(facts.scriptId, name) : undefined;
}
