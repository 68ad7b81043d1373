import type { Binding, Capture, FunctionNode } from './graph.ts';
import type { Scope } from './inspector.ts';
import type { Sources } from './sources.ts';

/** One function's use of one variable, as read from its scopes. */
export interface VariableUse {
  readonly capture: Capture;
  readonly name: string;
  readonly written: boolean;
  readonly raw: unknown;
  readonly node: FunctionNode;
  readonly fn: Function;
  readonly place: VariablePlace;
  /** Whether its declaration was not reached yet, so that to use it throws. */
  readonly uninitialized?: boolean;
}

export type VariablePlace =
  /** A variable that exists once, by a key: of a module, of the REPL, of globalThis. */
  | { readonly type: 'unique'; readonly key: string }
  /** A variable of a scope that may exist many times, once for each call of the function around it. */
  | { readonly type: 'scope'; readonly scope: Scope }
  /** A value that no code can assign, such as `this`. */
  | { readonly type: 'constant' };

/**
 * Decides which captured variables are one and the same. V8 hands out copies of scopes, so equal ones can't be told
 * from shared ones by looking; that matters only where a captured function assigns the variable, and there a mark is
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
    for (const [key, uses] of groupBy(this.#uses, (use) => bucketOf(use, kinds))) {
      for (const shared of this.#split(key, uses)) {
        const [first] = shared;
        if (first === undefined) continue;
        const written = shared.some((use) => use.written);
        const uninitialized = first.uninitialized === true;
        const binding: Binding = { name: first.name, value: first.capture.value, written, uninitialized };
        for (const { capture } of shared) capture.binding = binding;
      }
    }
    this.#uses.length = 0;
  }

  /** Parts the uses of one name in one kind of scope into those that mean the same variable. */
  #split(key: string, uses: readonly VariableUse[]): VariableUse[][] {
    if (key.startsWith('unique')) return [[...uses]];
    const byValue = [...groupBySame(uses, ({ raw }) => raw)];
    if (key.startsWith('constant') || !uses.some(({ written }) => written)) return byValue;
    return byValue.flatMap((equal) => this.#splitByMark(equal));
  }

  /**
   * Assigns a mark of its own through each function that doesn't show one yet: those that show the same mark share the
   * variable. Afterwards every variable has its value again.
   */
  #splitByMark(uses: readonly VariableUse[]): VariableUse[][] {
    const groups = new Map<symbol, VariableUse[]>();
    const unreached: VariableUse[][] = [];
    const late: VariableUse[] = [];
    const restore: Array<() => void> = [];
    try {
      for (const use of uses) {
        if (this.#join(use, groups) || (uses.length > 1 && this.#mark(use, groups, restore))) continue;
        late.push(use);
      }
      // What can't be entered may still show the mark of another.
      for (const use of late) if (!this.#join(use, groups)) addUnreached(unreached, use);
    } finally {
      for (const step of restore) step();
    }
    return [...groups.values(), ...unreached];
  }

  #join(use: VariableUse, groups: ReadonlyMap<symbol, VariableUse[]>): boolean {
    const shown = this.#shownMark(use);
    const group = shown === undefined ? undefined : groups.get(shown);
    group?.push(use);
    return group !== undefined;
  }

  #shownMark({ fn, name }: VariableUse): symbol | undefined {
    const { scopes } = this.#sources.inspector.facts(fn);
    const scope = scopes.find(({ type, variables }) => type !== 'global' && Object.hasOwn(variables, name));
    const value: unknown = scope === undefined ? undefined : Object.getOwnPropertyDescriptor(scope.variables, name)?.value;
    return typeof value === 'symbol' ? value : undefined;
  }

  /** False where the variable can't be assigned through this function: a generator's body can't be reached. */
  #mark(use: VariableUse, groups: Map<symbol, VariableUse[]>, restore: Array<() => void>): boolean {
    const mark = Symbol('mark');
    for (const fn of enterable(use.fn)) {
      const setter = this.#sources.inspector.evaluateInside(fn, `($mark$ => { ${use.name} = $mark$; })`)?.value;
      if (typeof setter !== 'function') continue;
      try {
        setter(mark);
      } catch {
        continue;
      }
      restore.push(() => setter(use.raw));
      groups.set(mark, [use]);
      return true;
    }
    return false;
  }
}

/** The functions through which a scope can be entered: a class can't be called, but its methods see what it sees. */
export function enterable(fn: Function): readonly Function[] {
  const prototype: unknown = Object.getOwnPropertyDescriptor(fn, 'prototype')?.value;
  const isClass = /^class\b/.test(Function.prototype.toString.call(fn));
  if (!isClass || typeof prototype !== 'object' || prototype === null) return [fn];
  const own = [fn, prototype].flatMap((object): readonly PropertyDescriptor[] =>
    Object.values(Object.getOwnPropertyDescriptors(object)),
  );
  return own.flatMap(({ value, get, set }) => [value, get, set]).filter((each) => typeof each === 'function' && each !== fn);
}

/** Functions of one text that were made apart see variables of their own; of different texts they are taken to share. */
function addUnreached(groups: VariableUse[][], use: VariableUse): void {
  const { text } = use.node.syntax;
  const group = groups.find((each) => each.every(({ node }) => node.syntax.text !== text));
  if (group === undefined) groups.push([use]);
  else group.push(use);
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

function bucketOf({ name, place }: VariableUse, kinds: ScopeKinds): string {
  if (place.type === 'unique') return `unique ${place.key}`;
  if (place.type === 'constant') return `constant ${name}`;
  return `scope ${kinds.numberOf(place.scope)} ${name}`;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/** Groups by SameValueZero but for -0, which a variable may well hold. */
function groupBySame<T>(items: readonly T[], read: (item: T) => unknown): Iterable<T[]> {
  const groups = new Map<unknown, T[]>();
  const minusZero = Symbol('-0');
  for (const item of items) {
    const value = read(item);
    const key = Object.is(value, -0) ? minusZero : value;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups.values();
}
