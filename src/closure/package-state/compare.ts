import { types } from 'node:util';
import { isPrimitive } from '../graph/nodes.ts';
import { symbolExpression } from '../heap/intrinsics.ts';
import type { PackageMember } from '../heap/package-members.ts';
import { peekVariable, type Scope } from '../heap/scopes.ts';
import type { Sources } from '../heap/sources.ts';
import { type Difference, isOfProcess, type Step, withoutOwn } from './differences.ts';
import { additionsTo, boundParts, contentOf, extensible, identify, isWalked, type Parts, partsOf } from './identify.ts';
import { drawsRandomly, isNamed } from './module-texts.ts';
import { primitiveReference, type Reference, type Snapshot, type SnapshotNode, type SnapshotScope } from './snapshot.ts';
import { isOwnScope } from './take-snapshot.ts';

/** Scopes around packages' functions. Cached because only their never-assigned variables are used. */
const closures = new WeakMap<Function, readonly Scope[]>();

/**
 * Pairs the values of this process with those of a snapshot, by the path that leads to them, and records the differences.
 * Applying all differences to the fresh state makes it equal to this process's state.
 */
export class Comparison {
  readonly differences: readonly Difference[];
  readonly snapshot: Snapshot;
  readonly #sources: Sources;
  readonly #numbers = new Map<unknown, number>();
  /** By number of the snapshot's node. */
  readonly #values: unknown[] = [];
  readonly #steps: Step[] = [];
  readonly #queue: number[] = [];
  readonly #found: Difference[] = [];
  #walked = 0;
  /** Scopes without state of their own. They are read only if a value isn't found otherwise. */
  readonly #quiet: [number, SnapshotScope][] = [];
  #isThorough = false;
  readonly #read = new Set<SnapshotScope>();
  #weak: number[] = [];
  readonly #scopes: ReadonlyMap<number, readonly SnapshotScope[]>;

  constructor(sources: Sources, snapshot: Snapshot) {
    this.#sources = sources;
    this.snapshot = snapshot;
    this.#scopes = scopesByFunction(snapshot.scopes);
    sources.intrinsics.learnLazy();
    sources.builtins.learnDeep();
    for (const [file, { isModule, node }] of Object.entries(snapshot.modules)) {
      const loaded = sources.loaded.exportsOf(file, isModule);
      if (loaded !== undefined) this.#pair(loaded.exports, node, { type: 'module', file, isModule });
    }
    this.#walk();
    // Everything reachable from modules is paired by now.
    this.#compareAdditions();
    this.#walk();
    this.differences = withoutOwn(this.#found, {
      stepTo: (number) => this.#steps[number],
      drawsAt: (difference) => drawsRandomly(this.#fileOf(difference)),
    });
  }

  #walk(): void {
    const late: [number, SnapshotScope][] = [];
    for (; this.#walked < this.#queue.length; this.#walked++) {
      const number = this.#queue[this.#walked] as number;
      this.#compare(number);
      for (const scope of this.#scopes.get(number) ?? []) {
        if (this.#read.has(scope) && scope.through.length === 1) continue;
        this.#read.add(scope);
        if (scope.isQuiet && !this.#isThorough) this.#quiet.push([number, scope]);
        else if (scope.isOnly) this.#compareScope(this.#values[number] as Function, scope);
        else late.push([number, scope]);
      }
      // Everything with another path is paired by now.
      if (number !== this.#queue.at(-1)) continue;
      for (const each of this.#weak.splice(0)) this.#compareWeak(each);
      for (const [through, scope] of late.splice(0)) this.#compareScope(this.#values[through] as Function, scope);
    }
  }

  /** Returns the number of a value's counterpart in the fresh state. */
  numberOf(value: unknown): number | undefined {
    const number = this.#numbers.get(value);
    if (number !== undefined || this.#quiet.length === 0 || typeof value !== 'function') return number;
    // These scopes have no differences but may lead to this value.
    this.#isThorough = true;
    for (const [through, scope] of this.#quiet.splice(0)) this.#compareScope(this.#values[through] as Function, scope);
    this.#walk();
    return this.#numbers.get(value);
  }

  /** Returns this process's counterpart of a snapshot node. */
  valueOf(number: number): unknown {
    return this.#values[number];
  }

  /** Returns a module's member in the fresh state, or undefined for a module that isn't compared. */
  freshMember({ type, file, member }: PackageMember): { readonly reference: Reference | undefined } | undefined {
    const { modules, nodes, scopes } = this.snapshot;
    const module = modules[file];
    if (module === undefined) return undefined;
    const [name = '', ...rest] = member;
    const top = type === 'inside' ? scopes.find((scope) => scope.depth === 0 && scope.file === file) : undefined;
    let reference: Reference | undefined = type === 'inside' ? top?.values[top.names.indexOf(name)] : module.node;
    for (const key of type === 'inside' ? rest : member) {
      const found: NonNullable<SnapshotNode['properties']>[number] | undefined = nodes[Number(reference)]?.properties?.find(
        ([each]) => each === key,
      );
      reference = found?.[1];
    }
    return { reference };
  }

  /** Returns the step that leads to a value, by its number. Undefined if this process has no counterpart. */
  stepTo(number: number): Step | undefined {
    return this.#steps[number];
  }

  /** Compares additions to built-in objects. An addition counts only if some package's code mentions its name. */
  #compareAdditions(): void {
    for (const expression of extensible) {
      const { holder, parts } = additionsTo(this.#sources, expression) ?? {};
      const number = this.snapshot.additions[expression] ?? this.snapshot.nodes.length + extensible.indexOf(expression);
      if (holder === undefined || parts === undefined) continue;
      this.#steps[number] = { type: 'intrinsic', expression };
      const node = this.snapshot.nodes[number] ?? { kind: 'known', tag: expression };
      const isThere = (key: string | symbol): boolean =>
        node.properties?.some(([each]) =>
          typeof each === 'string'
            ? each === key
            : typeof key === 'symbol' && this.snapshot.nodes[Number(each[0])]?.tag === symbolExpression(key),
        ) === true;
      const nameOf = (key: string | symbol): string | undefined => (typeof key === 'string' ? key : Symbol.keyFor(key));
      const isOfPackages = (name: string | undefined): boolean => name !== undefined && isNamed(this.snapshot, name);
      const properties = parts.properties.filter(([key]) => isThere(key) || isOfPackages(nameOf(key)));
      // If a member is missing here, the program didn't remove it: Node adds some members lazily.
      const before = (node.properties ?? []).filter(([key]) => typeof key !== 'string' || Object.hasOwn(holder, key));
      this.#compareProperties(number, { ...node, properties: before }, { ...parts, properties });
    }
  }

  /** Pairs a value with the snapshot's. Returns whether they are equal or counterparts. */
  #pair(value: unknown, reference: Reference, step: Step): boolean {
    if (!this.#mayBe(value, reference)) return false;
    const node = typeof reference === 'string' ? undefined : this.snapshot.nodes[reference];
    if (node === undefined || node.kind === 'known' || node.kind === 'beyond' || this.#numbers.has(value)) return true;
    if (node.closed !== undefined && !this.#closesOver(value as Function, node.closed)) return false;
    if (node.isFixed === true && node.kind !== 'function' && !this.#isAlike(value as object, node)) return false;
    const number = reference as number;
    this.#numbers.set(value, number);
    this.#values[number] = value;
    this.#steps[number] = step;
    if (isWalked(node.kind)) this.#queue.push(number);
    return true;
  }

  /** Returns the file of the module in which something differs. */
  #fileOf(difference: Difference): string {
    if (difference.type === 'variable') return difference.scope.file;
    for (let step = this.#steps[difference.holder]; step !== undefined; ) {
      if (step.type === 'module') return step.file;
      if (step.type === 'variable') return step.scope.file;
      step = 'from' in step ? this.#steps[step.from] : undefined;
    }
    return '';
  }

  /** Quickly checks whether a value may be the counterpart of a node. */
  #mayBe(value: unknown, reference: Reference): boolean {
    if (typeof reference === 'string') {
      return isPrimitive(value) && (primitiveReference(value) === reference || isOfProcess(value, reference, this.snapshot));
    }
    if (isPrimitive(value)) return false;
    const known = this.#numbers.get(value);
    if (known !== undefined || this.#steps[reference] !== undefined) return known === reference;
    return this.snapshot.nodes[reference]?.kind === 'beyond' || this.isOfKind(value as object, reference);
  }

  /** Whether a value and a node agree in what distinguishes values of their kind. */
  isOfKind(value: object, reference: number): boolean {
    const node = this.snapshot.nodes[reference];
    const { kind, tag } = identify(this.#sources, value);
    return node?.kind === kind && node.tag === tag;
  }

  /**
   * Whether the never-assigned variables around a function match. Another function with the same text may have different ones.
   */
  #closesOver(fn: Function, before: NonNullable<SnapshotNode['closed']>): boolean {
    const known = closures.get(fn) ?? this.#sources.inspector.facts(fn).scopes.filter(isOwnScope);
    closures.set(fn, known);
    return before.every(([depth, name, reference]) => {
      const scope = known[known.length - depth - 1];
      return scope === undefined || !Object.hasOwn(scope.variables, name) || this.#mayBe(peekVariable(scope, name), reference);
    });
  }

  /** Whether a non-extensible object has the same members. */
  #isAlike(value: object, { kind, properties = [] }: SnapshotNode): boolean {
    const parts = partsOf(value, kind);
    return (
      parts.properties.length === properties.length &&
      parts.properties.every(([key, descriptor]) => {
        const found = properties.find(([each]) => each === key);
        return found === undefined ? typeof key === 'symbol' : found.length > 2 || this.#mayBe(descriptor.value, found[1]);
      })
    );
  }

  /** Compares the entries of a weak collection: those of paired objects and all others. */
  #compareWeak(holder: number): void {
    const before = new Map(this.snapshot.nodes[holder]?.weak ?? []);
    const value = this.#values[holder] as object;
    const isMap = types.isWeakMap(value);
    const entries = this.#sources.inspector.weakEntries(value).filter((entry) => {
      const key = this.#numbers.get(entry.key);
      const held = key === undefined ? undefined : before.get(key);
      if (held === undefined) return true;
      return isMap && !this.#pair(entry.value, held, { type: 'weak', from: holder, key: key as number });
    });
    if (entries.length > 0) this.#found.push({ type: 'weak', holder, isMap, entries });
  }

  #compare(holder: number): void {
    const node = this.snapshot.nodes[holder] as SnapshotNode;
    const value = this.#values[holder] as object;
    const parts = partsOf(value, node.kind);
    const before = node.prototype ?? primitiveReference(null);
    if (!this.#pair(parts.prototype, before, { type: 'prototype', from: holder })) {
      this.#found.push({ type: 'prototype', holder, now: parts.prototype, before });
    }
    if (node.kind === 'array') this.#compareElements(holder, node, value as unknown[]);
    else this.#compareProperties(holder, node, parts);
    if (node.bound !== undefined) this.#compareBound(holder, node.bound);
    if (node.privates !== undefined) this.#comparePrivates(holder, node.privates);
    if (node.kind === 'map' || node.kind === 'set') this.#compareEntries(holder, node, parts);
    if (node.kind === 'weak') this.#weak.push(holder);
    if (node.content !== undefined && node.content !== contentOf(value))
      this.#found.push({ type: 'content', holder, now: value });
  }

  #compareProperties(holder: number, { properties = [], tag }: SnapshotNode, parts: Parts): void {
    const before = this.#propertiesByKey(properties, parts);
    for (const [key, descriptor] of parts.properties) {
      const found = before.get(key);
      before.delete(key);
      if (found !== undefined && this.#isSameProperty(holder, key, { found, descriptor })) continue;
      // A fixed property can't have changed. If it differs, the holder was paired with the counterpart of another object.
      const isFixed = descriptor.configurable === false && descriptor.get !== undefined;
      if (tag !== 'namespace' && !(isFixed && found !== undefined))
        this.#found.push({ type: 'property', holder, key, now: descriptor, before: found?.[1] });
    }
    if (tag === 'namespace') return;
    for (const [key, [, reference]] of before) {
      this.#found.push({ type: 'property', holder, key, now: undefined, before: reference });
    }
  }

  /** Until a package's symbol is paired, it is identified by its description. */
  #propertiesByKey(
    properties: NonNullable<SnapshotNode['properties']>,
    parts: Parts,
  ): Map<string | symbol, NonNullable<SnapshotNode['properties']>[number]> {
    const byKey = new Map<string | symbol, NonNullable<SnapshotNode['properties']>[number]>();
    const symbols = parts.properties.flatMap(([key]) => (typeof key === 'symbol' ? [key] : []));
    for (const property of properties) {
      const [key] = property;
      if (typeof key === 'string') byKey.set(key, property);
      else {
        const node = this.snapshot.nodes[Number(key[0])];
        const paired = this.#values[Number(key[0])] as symbol | undefined;
        const isIt = (symbol: symbol): boolean => {
          if (paired !== undefined) return symbol === paired;
          const { kind, tag } = identify(this.#sources, symbol);
          return node?.kind === kind && node.tag === tag && !byKey.has(symbol) && !this.#numbers.has(symbol);
        };
        const symbol = symbols.find(isIt);
        if (symbol !== undefined) byKey.set(symbol, property);
      }
    }
    return byKey;
  }

  #isSameProperty(
    from: number,
    key: string | symbol,
    { found, descriptor }: { found: readonly unknown[]; descriptor: PropertyDescriptor },
  ): boolean {
    const [, value, setter] = found as readonly [unknown, Reference, Reference?];
    const isAccessor = descriptor.get !== undefined || descriptor.set !== undefined;
    if (isAccessor !== (setter !== undefined)) return false;
    const step = (role: 'value' | 'get' | 'set') => ({ type: 'property', from, key, role }) as const;
    if (!isAccessor) return this.#pair(descriptor.value, value, step('value'));
    const isSameGet = this.#pair(descriptor.get, value, step('get'));
    return this.#pair(descriptor.set, setter as Reference, step('set')) && isSameGet;
  }

  /** A program can't change a bound function. If the parts differ, it is a different function, so no difference is recorded. */
  #compareBound(holder: number, before: readonly Reference[]): void {
    const { bound } = this.#sources.inspector.facts(this.#values[holder] as Function);
    if (bound === undefined) return;
    for (const [index, value] of boundParts(bound).entries()) {
      if (before[index] !== undefined) this.#pair(value, before[index], { type: 'bound', from: holder });
    }
  }

  #comparePrivates(holder: number, privates: NonNullable<SnapshotNode['privates']>): void {
    const { fields } = this.#sources.inspector.privateState(this.#values[holder] as object);
    for (const [index, [name, before]] of privates.entries()) {
      const now = fields[index];
      const nth = privates.slice(0, index).filter(([each]) => each === name).length;
      if (now?.name !== name || this.#pair(now.value, before, { type: 'private', from: holder, name, nth })) continue;
      this.#found.push({ type: 'private', holder, name, nth, now: now.value, before });
    }
  }

  #compareElements(holder: number, { properties = [] }: SnapshotNode, value: unknown[]): void {
    let isSame = properties.length === Object.keys(value).length;
    for (const [key, reference] of properties) {
      if (typeof key !== 'string') continue;
      const step = { type: 'property', from: holder, key, role: 'value' } as const;
      isSame = this.#pair(Reflect.getOwnPropertyDescriptor(value, key)?.value, reference, step) && isSame;
    }
    if (!isSame) this.#found.push({ type: 'elements', holder, now: value });
    for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
      const isNamed = !/^(?:\d+|length)$/.test(key);
      if (!isNamed || properties.some(([each, before]) => each === key && this.#mayBe(descriptor.value, before))) continue;
      this.#found.push({ type: 'property', holder, key, now: descriptor, before: undefined });
    }
  }

  #compareEntries(holder: number, { entries = [] }: SnapshotNode, parts: Parts): void {
    let kept = 0;
    for (const [index, [key, value]] of parts.entries.entries()) {
      const [keyBefore, valueBefore] = entries[index] ?? [];
      const step = (role: 'key' | 'value') => ({ type: 'entry', from: holder, index, role }) as const;
      if (keyBefore === undefined || !this.#pair(key, keyBefore, step('key'))) break;
      if (valueBefore !== undefined && !this.#pair(value, valueBefore, step('value'))) break;
      kept++;
    }
    if (kept === entries.length && kept === parts.entries.length) return;
    const isMap = this.snapshot.nodes[holder]?.kind === 'map';
    this.#found.push({ type: 'entries', holder, isMap, now: parts.entries.slice(kept), kept });
  }

  #compareScope(fn: Function, scope: SnapshotScope): void {
    const scopes = this.#sources.inspector.facts(fn).scopes.filter(isOwnScope);
    const now = scopes[scopes.length - scope.depth - 1];
    if (now === undefined) return;
    for (const [index, name] of scope.names.entries()) {
      const before = scope.values[index] as Reference;
      if (!Object.hasOwn(now.variables, name)) continue;
      const value = peekVariable(now, name);
      if (this.#pair(value, before, { type: 'variable', scope, name })) continue;
      this.#found.push({ type: 'variable', scope, name, now: value, before });
    }
  }
}

function scopesByFunction(scopes: readonly SnapshotScope[]): ReadonlyMap<number, readonly SnapshotScope[]> {
  const byFunction = new Map<number, SnapshotScope[]>();
  for (const scope of scopes) {
    for (const number of [...scope.through, ...scope.others]) {
      const known = byFunction.get(number);
      if (known === undefined) byFunction.set(number, [scope]);
      else known.push(scope);
    }
  }
  return byFunction;
}
