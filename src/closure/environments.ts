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
}

export type VariablePlace =
  /** A variable that exists once, by a key: of a module, of the REPL, of globalThis. */
  | { readonly type: 'unique'; readonly key: string }
  /** A variable of a scope that may exist many times, once for each call of the function around it. */
  | { readonly type: 'scope'; readonly scriptId: string; readonly scope: Scope }
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
    for (const [key, uses] of groupBy(this.#uses, bucketOf)) {
      for (const shared of this.#split(key, uses)) {
        const [first] = shared;
        if (first === undefined) continue;
        const written = shared.some((use) => use.written);
        const binding: Binding = { name: first.name, value: first.capture.value, written };
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

  #splitByMark(uses: readonly VariableUse[]): VariableUse[][] {
    const groups: VariableUse[][] = [];
    let rest = [...uses];
    while (rest.length > 1) {
      const marked = this.#markedWith(rest);
      groups.push(rest.filter((use) => marked.has(use)));
      rest = rest.filter((use) => !marked.has(use));
    }
    return rest.length === 0 ? groups : [...groups, rest];
  }

  /** Assigns a mark through one of the functions; tells which see it, and takes it back. */
  #markedWith(uses: readonly VariableUse[]): ReadonlySet<VariableUse> {
    const { inspector } = this.#sources;
    for (const { fn, name, raw } of uses) {
      const setter = inspector.evaluateInside(fn, `(value => { ${name} = value; })`)?.value;
      if (typeof setter !== 'function') continue;
      const mark = Symbol('mark');
      try {
        setter(mark);
        return new Set(uses.filter((use) => seesMark(inspector.facts(use.fn).scopes, name, mark)));
      } catch {
        // A constant can't be marked, but neither can it differ.
      } finally {
        setter(raw);
      }
    }
    return new Set(uses);
  }
}

const seesMark = (scopes: readonly Scope[], name: string, mark: symbol): boolean =>
  scopes.some(({ variables }) => Object.getOwnPropertyDescriptor(variables, name)?.value === mark);

function bucketOf({ name, place }: VariableUse): string {
  if (place.type === 'unique') return `unique ${place.key}`;
  if (place.type === 'constant') return `constant ${name}`;
  const names = Object.getOwnPropertyNames(place.scope.variables).sort();
  return `scope ${place.scriptId} ${place.scope.description} ${names.join(',')} ${name}`;
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
