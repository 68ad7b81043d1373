import { homeOf } from './capture-homes.ts';
import { capturePatches } from './capture-patches.ts';
import { ownName } from './capture-properties.ts';
import { topScope } from './capture-uses.ts';
import { isNode, type ModuleNode, type Node, type Path } from './graph.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { type FunctionFacts, peekVariable } from './inspector.ts';
import type { PackageMember } from './package-members.ts';

/** A method of a package's class, static or not, as a member of that. */
export function capturePackageMethod(
  builder: GraphBuilder,
  fn: Function,
  { facts, path }: { facts: FunctionFacts; path: Path },
): Node | undefined {
  const key = ownName(fn);
  const home = key === '' ? undefined : homeOf(fn, facts);
  if (home === undefined || builder.sources.origins.owner(facts.scriptId ?? '') !== 'package') return undefined;
  const label = `class ${ownName(home)}`;
  const isStatic = Object.getOwnPropertyDescriptor(home, key)?.value === fn;
  const prototype = Object.getOwnPropertyDescriptor(home, 'prototype')?.value as object;
  if (!isStatic && Object.getOwnPropertyDescriptor(prototype, key)?.value !== fn) return undefined;
  const owner = builder.value(isStatic ? home : prototype, { parent: path, label });
  if (builder.known(fn) !== undefined) return builder.known(fn);
  return isNode(owner) ? builder.register(fn, { ...builder.shell(path), kind: 'member', owner, key, role: 'value' }) : undefined;
}

export function capturePackageFunction(builder: GraphBuilder, fn: Function, node: ModuleNode): Node {
  builder.later(() => capturePatches(builder, node, fn));
  return builder.register(fn, node);
}

/** A function of a package as the top-level variable that holds it. */
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
