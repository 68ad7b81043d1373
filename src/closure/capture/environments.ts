import type { Binding, Capture, FunctionNode } from '../graph/nodes.ts';
import { peekVariable, type Scope } from '../heap/scopes.ts';
import type { Sources } from '../heap/sources.ts';
import { readSyntax } from '../syntax/syntax.ts';

/** One function's use of one variable, as read from its scopes. */
export interface VariableUse {
  readonly capture: Capture;
  readonly name: string;
  readonly written: boolean;
  readonly raw: unknown;
  /** The function that uses the variable. Undefined for an export read through a module namespace. */
  readonly node?: FunctionNode;
  readonly fn?: Function;
  readonly place: VariablePlace;
  /** Whether the variable is still in its temporal dead zone, so that reading it throws. */
  readonly uninitialized?: boolean;
}

/** The place of a module's top-level variable, of which there is exactly one. */
export const moduleVariable = ({ scriptId, name }: { scriptId: string; name: string }): VariablePlace => ({
  type: 'unique',
  key: `${scriptId} ${name}`,
});

export type VariablePlace =
  /** A variable that exists exactly once: of a module, of the REPL, or of `globalThis`. */
  | { readonly type: 'unique'; readonly key: string }
  /** A variable of a scope that may exist many times, once per call of the enclosing function. */
  | { readonly type: 'scope'; readonly scope: Scope }
  /** A value that no code can assign, such as `this`. */
  | { readonly type: 'constant' };

/**
 * Decides which captured variables are the same variable. V8 returns copies of scopes, so a shared scope can't be told from an
 * equal one by comparing. The difference matters only if a captured function assigns the variable. In that case, write a mark
 * through one function and look for it through the others.
 */
export class Environments {
  readonly #sources: Sources;
  readonly #uses: VariableUse[] = [];

  constructor(sources: Sources) {
    this.#sources = sources;
  }

  add(use: VariableUse): void {
    this.#uses.push(use);
  }

  /** Gives every capture its binding. */
  bind(): void {
    const kinds = new ScopeKinds();
    for (const uses of groupBy(this.#uses, ({ place }) => bucketOf(place, kinds))) {
      for (const shared of this.#split(uses)) bindTogether(shared);
    }
    this.#uses.length = 0;
  }

  /** Groups uses from one kind of scope by the variable they refer to. */
  #split(uses: readonly VariableUse[]): Iterable<VariableUse[]> {
    const { type } = uses[0]?.place ?? {};
    if (type === 'unique') return [[...uses]];
    if (type === 'scope' && uses.some(({ written }) => written)) {
      return this.#environments(uses).flatMap((each) => [...groupBy(each, ({ name }) => name)]);
    }
    return [...groupBy(uses, ({ name }) => name)].flatMap((each) => [...groupBy(each, valueKey)]);
  }

  /**
   * Groups functions that see one kind of scope by the actual scope. Assigns a mark through each function that doesn't see a
   * mark yet; functions that see the same mark share a scope. Restores the value of every variable afterwards.
   */
  #environments(uses: readonly VariableUse[]): VariableUse[][] {
    const functions = [...groupBy(uses, ({ fn }) => fn)];
    const assigned = new Set(uses.filter(({ written }) => written).map(({ name }) => name));
    const groups = new Map<symbol, VariableUse[]>();
    const unreached: VariableUse[][] = [];
    const late: VariableUse[][] = [];
    const restore: Array<() => void> = [];
    try {
      for (const own of functions) {
        if (this.#join(own, groups) || (functions.length > 1 && this.#mark(own, { assigned, groups, restore }))) continue;
        late.push(own);
      }
      // A scope that can't be entered may still show another function's mark.
      for (const own of late) if (!this.#join(own, groups)) addUnreached(unreached, own);
    } finally {
      for (const step of restore) step();
    }
    return [...groups.values(), ...unreached];
  }

  #join(own: readonly VariableUse[], groups: ReadonlyMap<symbol, VariableUse[]>): boolean {
    if (groups.size === 0) return false;
    const variables = this.#variablesOf(own);
    for (const name of Object.getOwnPropertyNames(variables)) {
      const value: unknown = peekVariable({ variables }, name);
      const group = typeof value === 'symbol' ? groups.get(value) : undefined;
      group?.push(...own);
      if (group !== undefined) return true;
    }
    return false;
  }

  /** Reads the current variables of a function's scope. */
  #variablesOf([use]: readonly VariableUse[]): object {
    if (use?.fn === undefined) return {};
    const { scopes } = this.#sources.inspector.facts(use.fn);
    return scopes.find(({ type, variables }) => type !== 'global' && Object.hasOwn(variables, use.name))?.variables ?? {};
  }

  /** Returns false if this function can't assign any variable of the scope. */
  #mark(own: readonly VariableUse[], { assigned, groups, restore }: Marking): boolean {
    const [{ fn, node } = {} as VariableUse] = own;
    if (fn === undefined || node === undefined) return false;
    const used = own.filter(({ name }) => assigned.has(name)).map(({ name }) => name);
    // A variable that the function doesn't use can be assigned only if its text never mentions the name: a local variable may
    // shadow it.
    const hidden = [...assigned].filter((name) => !used.includes(name) && !node.syntax.identifiers.has(name));
    const mark = Symbol('mark');
    const variables = this.#variablesOf(own);
    for (const name of [...used, ...hidden].slice(0, 3)) {
      for (const each of enterable(fn)) {
        const setter = this.#sources.inspector.evaluateInside(each, `($mark$ => { ${name} = $mark$; })`)?.value;
        if (typeof setter !== 'function' || !assign(setter, mark)) continue;
        const before: unknown = peekVariable({ variables }, name);
        restore.push(() => setter(before));
        groups.set(mark, [...own]);
        return true;
      }
    }
    return false;
  }
}

interface Marking {
  readonly assigned: ReadonlySet<string>;
  readonly groups: Map<symbol, VariableUse[]>;
  readonly restore: Array<() => void>;
}

function assign(setter: Function, mark: symbol): boolean {
  try {
    setter(mark);
    return true;
  } catch {
    return false;
  }
}

function bindTogether(shared: readonly VariableUse[]): void {
  const [first] = shared;
  if (first === undefined) return;
  const written = shared.some((use) => use.written);
  const uninitialized = first.uninitialized === true;
  const binding: Binding = { name: first.name, value: first.capture.value, written, uninitialized };
  for (const { capture } of shared) capture.binding = binding;
}

/** The functions through which a scope can be entered. A class can't be called, but its methods see the same scope. */
export function enterable(fn: Function): readonly Function[] {
  const prototype: unknown = Object.getOwnPropertyDescriptor(fn, 'prototype')?.value;
  const text = Function.prototype.toString.call(fn);
  const isClass = /^class\b/.test(text);
  if (!isClass || typeof prototype !== 'object' || prototype === null) return [fn];
  const own = [fn, prototype].flatMap((object): readonly PropertyDescriptor[] =>
    Object.values(Object.getOwnPropertyDescriptors(object)),
  );
  const methods = own.flatMap(({ value, get, set }) => [value, get, set]);
  const found = methods.filter((each): each is Function => typeof each === 'function' && each !== fn);
  // A base class runs its field initializers before the constructor body, so its constructor can be entered only if it has
  // none.
  const { initialisers = [], isDerived = false } = readSyntax(text)?.class ?? {};
  return isDerived || initialisers.length === 0 ? [...found, fn] : found;
}

/**
 * Adds functions whose scope couldn't be marked. Functions with the same text are assumed to come from separate calls, each
 * with its own scope; functions with different texts are assumed to share one.
 */
function addUnreached(groups: VariableUse[][], own: readonly VariableUse[]): void {
  const text = own[0]?.node?.syntax.text;
  const group = groups.find((each) => each.every(({ node }) => node?.syntax.text !== text));
  if (group === undefined) groups.push([...own]);
  else group.push(...own);
}

/** Numbers scopes by kind. Scopes of one script that declare the same names are of one kind. */
class ScopeKinds {
  readonly #numbers = new Map<string, number>();
  readonly #known = new Map<Scope, number>();

  numberOf(scope: Scope): number {
    const known = this.#known.get(scope);
    if (known !== undefined) return known;
    const kind = `${scope.description} ${Object.getOwnPropertyNames(scope.variables).join(',')}`;
    const number = this.#numbers.get(kind) ?? this.#numbers.size;
    this.#numbers.set(kind, number);
    this.#known.set(scope, number);
    return number;
  }
}

function bucketOf(place: VariablePlace, kinds: ScopeKinds): string {
  if (place.type === 'unique') return `unique ${place.key}`;
  return place.type === 'constant' ? 'constant' : `scope ${kinds.numberOf(place.scope)}`;
}

const minusZero = Symbol('-0');

/** Distinguishes values by identity, including 0 from -0. */
const valueKey = ({ raw }: VariableUse): unknown => (Object.is(raw, -0) ? minusZero : raw);

function groupBy<T>(items: readonly T[], keyOf: (item: T) => unknown): Iterable<T[]> {
  const groups = new Map<unknown, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups.values();
}
