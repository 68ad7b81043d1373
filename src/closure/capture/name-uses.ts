import { types } from 'node:util';
import type { FunctionNode, Value } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import type { FunctionFacts } from '../heap/inspector.ts';
import { peekVariable, type Scope } from '../heap/scopes.ts';
import type { FreeName } from '../syntax/syntax.ts';
import type { VariablePlace } from './environments.ts';
import type { GraphBuilder } from './graph-builder.ts';

/** A function that is being read. */
export interface FunctionAtHand {
  readonly fn: Function;
  readonly facts: FunctionFacts;
  readonly scriptId: string;
  /** Names of variables that are still in their temporal dead zone. */
  readonly uninitialized?: ReadonlySet<string>;
}

/** Node, jest and others create a `require` per file. They all have these members. */
export const isRequire = (fn: Function): boolean =>
  ['resolve', 'main', 'extensions', 'cache'].every((member) => Object.hasOwn(fn, member));

export const scopeOf = ({ scopes }: FunctionFacts, name: string): Scope | undefined =>
  scopes.find(({ type, variables }) => type !== 'global' && Object.hasOwn(variables, name));

/** Returns the `require` that a variable holds. */
export function heldRequire(facts: FunctionFacts, name: string): NodeRequire | undefined {
  const scope = scopeOf(facts, name);
  const value = scope === undefined ? undefined : peekVariable(scope, name);
  return typeof value === 'function' && !types.isProxy(value) && isRequire(value) ? (value as NodeRequire) : undefined;
}

export interface NameAtHand extends FunctionAtHand {
  readonly name: string;
  readonly free: FreeName;
}

export const pathOf = (node: FunctionNode, name: string): Path => ({ parent: node.path, label: `captured "${name}"` });

interface Use extends FunctionAtHand {
  readonly name: string;
  readonly free?: FreeName;
  readonly raw: unknown;
  readonly value: Value;
  readonly place: VariablePlace;
}

export function addUse(
  builder: GraphBuilder,
  node: FunctionNode,
  { name, free, raw, value, place, fn, uninitialized }: Use,
): void {
  const capture = { value, binding: undefined };
  node.captures.set(name, capture);
  const use = { capture, name, written: free?.written === true, raw, node, fn, place };
  builder.environments.add({ ...use, uninitialized: uninitialized?.has(name) === true });
}

/** Returns the scope with the top-level variables of a function's module. */
export const topScope = ({ scopes }: FunctionFacts): Scope | undefined =>
  scopes.findLast(({ type }) => type === 'closure' || type === 'module');
