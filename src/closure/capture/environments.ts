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
  /** The function; undefined for a variable of a module's namespace. */
  readonly node?: FunctionNode;
  readonly fn?: Function;
  readonly place: VariablePlace;
  /** Whether its declaration was not reached yet, so that to use it throws. */
  readonly uninitialized?: boolean;
}

/** The place of a variable that exists once for its module. */
export const moduleVariable = ({ scriptId, name }: { scriptId: string; name: string }): VariablePlace => ({
  type: 'unique',
  key: `${scriptId} ${name}`,
});

export type VariablePlace =
  /** A variable that exists once, by a key: of a module, of the REPL, of globalThis. */
  | { readonly type: 'unique'; readonly key: string }
  /** A variable of a scope that may exist many times, once for each call of the function around it. */
  | { readonly type: 'scope'; readonly scope: Scope }
  /** A value that no code can assign, such as `this`. */
  | { readonly type: 'constant' };

/**
 * Decides which captured variables are one and the same. V8 hands out copies of scopes, so equal ones can't be told
 * from shared ones by looking; that matters only if a captured function assigns the variable, and there a mark is
 * written through one function and looked for through the others.
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

  /** Groups uses of variables of one kind of scope by the variable that they mean. */
  #split(uses: readonly VariableUse[]): Iterable<VariableUse[]> {
    const { type } = uses[0]?.place ?? {};
    if (type === 'unique') return [[...uses]];
    if (type === 'scope' && uses.some(({ written }) => written)) {
      return this.#environments(uses).flatMap((each) => [...groupBy(each, ({ name }) => name)]);
    }
    return [...groupBy(uses, ({ name }) => name)].flatMap((each) => [...groupBy(each, valueKey)]);
  }

  /**
   * Parts the functions that see one kind of scope by the very scope: a mark is assigned through each function that
   * doesn't show one yet, and those that show the same mark share the scope. Afterwards every variable has its value again.
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
      // A scope that can't be entered may still show another's mark.
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

  /** The variables of a function's scope as they are now. */
  #variablesOf([use]: readonly VariableUse[]): object {
    if (use?.fn === undefined) return {};
    const { scopes } = this.#sources.inspector.facts(use.fn);
    return scopes.find(({ type, variables }) => type !== 'global' && Object.hasOwn(variables, use.name))?.variables ?? {};
  }

  /** False if this function can assign no variable of the scope. */
  #mark(own: readonly VariableUse[], { assigned, groups, restore }: Marking): boolean {
    const [{ fn, node } = {} as VariableUse] = own;
    if (fn === undefined || node === undefined) return false;
    const used = own.filter(({ name }) => assigned.has(name)).map(({ name }) => name);
    // A variable of the function's own may shadow one that it doesn't use.
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

/** The functions through which a scope can be entered: a class can't be called, but its methods see what it sees. */
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
  // The constructor is entered before anything of the class has run, if there are no fields of a base class.
  const { initialisers = [], isDerived = false } = readSyntax(text)?.class ?? {};
  return isDerived || initialisers.length === 0 ? [...found, fn] : found;
}

/** Functions of one text that were made apart see variables of their own; of different texts they are taken to share. */
function addUnreached(groups: VariableUse[][], own: readonly VariableUse[]): void {
  const text = own[0]?.node?.syntax.text;
  const group = groups.find((each) => each.every(({ node }) => node?.syntax.text !== text));
  if (group === undefined) groups.push([...own]);
  else group.push(...own);
}

/** Scopes that look alike have one number: those of one script with the same names. */
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

/** Tells values apart as a variable would: also 0 and -0. */
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
