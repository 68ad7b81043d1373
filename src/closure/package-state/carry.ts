import { types } from 'node:util';
import type { GraphBuilder, PackageStateReader } from '../capture/graph-builder.ts';
import { readProperty } from '../capture/properties.ts';
import { captureWeakEntries } from '../capture/weak-collections.ts';
import { type ChangeNode, isNode, isPrimitive, type Node, type Property, type Value } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import type { PackageMember } from '../heap/package-members.ts';
import type { Comparison } from './compare.ts';
import type { Difference } from './differences.ts';
import { FoundState } from './found-state.ts';
import { printDifference } from './print-difference.ts';
import type { Reference } from './snapshot.ts';

/** Where a change is, and the names of the values there. */
interface Change {
  readonly path: Path;
  readonly names: readonly string[];
}

/** A property that is fixed in a fresh package can't have been changed here. If it differs, the wrong values were paired. */
const ifChangeable =
  'const own = Object.getOwnPropertyDescriptor(object, key); if (own !== undefined && !own.configurable && !own.writable) return;';

/** The changes to apply to a fresh package in the replica, and the values to find there first. */
export class CarriedState implements PackageStateReader {
  readonly changes: ChangeNode[] = [];
  readonly #builder: GraphBuilder;
  readonly #comparison: Comparison;
  readonly #found: FoundState;
  readonly #hows = new Map<string, string>();
  readonly #isLeftOut: (what: string) => boolean;

  constructor(builder: GraphBuilder, comparison: Comparison, isLeftOut: (what: string) => boolean) {
    this.#builder = builder;
    this.#comparison = comparison;
    this.#isLeftOut = isLeftOut;
    this.#found = new FoundState(builder, comparison);
  }

  get found(): readonly Node[] {
    return this.#found.nodes;
  }

  find(value: unknown): Node | undefined {
    const number = this.#comparison.numberOf(value);
    return number === undefined ? undefined : this.#found.node(number);
  }

  isPaired(value: unknown): boolean {
    return this.#comparison.numberOf(value) !== undefined;
  }

  isNew(value: unknown, member: PackageMember): boolean {
    const fresh = this.#comparison.freshMember(member);
    const number = this.#comparison.numberOf(value);
    return fresh !== undefined && (number === undefined || fresh.reference !== number);
  }

  now(raw: unknown, path: Path): { readonly value: Value } | undefined {
    if (isPrimitive(raw)) return { value: raw };
    if (typeof raw !== 'function' || types.isProxy(raw) || this.isPaired(raw)) return undefined;
    const { inspector, origins } = this.#builder.sources;
    const file = origins.file(inspector.facts(raw).scriptId ?? '') ?? '';
    return Object.hasOwn(this.#comparison.snapshot.modules, file) ? { value: this.#value(raw, path) } : undefined;
  }

  /** Captures the differences, except those known to hold values that can't travel. */
  carry(): void {
    const counts = new Map<string, number>();
    for (const difference of this.#comparison.differences) {
      const { what: place, how } = printDifference(this.#comparison, difference);
      const count = (counts.get(place) ?? 0) + 1;
      counts.set(place, count);
      // Modules of one package may have variables with the same name.
      const what = count === 1 ? place : `${place} (${count})`;
      if (this.#isLeftOut(what)) continue;
      this.#hows.set(what, how);
      const path = { parent: undefined, label: what };
      this.#carry(difference, path);
    }
  }

  isCarrying(what: string): boolean {
    return this.#hows.has(what);
  }

  describe(what: string): string {
    return this.#hows.get(what) ?? '';
  }

  #carry(difference: Difference, path: Path): void {
    if (difference.type === 'variable') return this.#setVariable(difference, path);
    const holder = this.#found.node(difference.holder);
    if (difference.type === 'weak') return this.#addWeakly(holder, difference, path);
    if (holder === undefined) return this.#isOwnDoing(difference) ? undefined : this.#unreachable(path);
    switch (difference.type) {
      case 'property':
        return this.#setProperty(holder, difference, path);
      case 'private':
        return this.#setPrivate(holder, difference, path);
      case 'prototype':
        return this.#change(
          '(([object, prototype]) => Object.setPrototypeOf(object, prototype))',
          [holder, this.#value(difference.now, path)],
          {
            path,
            names: ['', 'prototype'],
          },
        );
      case 'content':
        return this.#setContent(holder, difference.now, path);
      case 'elements':
        return this.#setElements(holder, difference.now, path);
      case 'entries':
        return this.#setEntries(holder, difference, path);
    }
  }

  /** Adds the entries under which a package knows captured objects. */
  #addWeakly(holder: Node | undefined, { entries, isMap }: Difference & { type: 'weak' }, path: Path): void {
    const maker = isMap
      ? '(([map, key, value]) => WeakMap.prototype.set.call(map, key, value))'
      : '(([set, key]) => WeakSet.prototype.add.call(set, key))';
    const add = (values: readonly Value[]): void =>
      holder === undefined
        ? this.#unreachable(path)
        : this.#change(maker, [holder, ...values], { path, names: ['', 'key', 'value'] });
    for (const { key, value } of entries) {
      // For its own objects that can't be reached, the package adds the entries itself.
      const own = holder === undefined ? undefined : this.find(key);
      if (own !== undefined) add(isMap ? [own, this.#value(value, path)] : [own]);
    }
    const others = entries.filter(({ key }) => !this.isPaired(key));
    captureWeakEntries(this.#builder, { entries: others, isMap }, { path, add });
  }

  #setProperty(holder: Node, { key, now }: Difference & { type: 'property' }, path: Path): void {
    if (now === undefined) {
      if (typeof key === 'string')
        this.#change('(([object, key]) => Reflect.deleteProperty(object, key))', [holder, key], { path, names: [] });
      return;
    }
    const property = readProperty(this.#builder, key, { descriptor: now, owner: path });
    if (this.#isRefused(now, property)) return;
    const { value, get, set, accessor, writable, enumerable, configurable } = property;
    const flags = `enumerable: ${enumerable}, configurable: ${configurable}`;
    if (accessor) {
      const maker = `(([object, key, get, set]) => { ${ifChangeable} Object.defineProperty(object, key, { get, set, ${flags} }); })`;
      return this.#change(maker, [holder, property.key, get, set], { path, names: ['', '', 'get', 'set'] });
    }
    const descriptor = `{ value, writable: ${writable}, ${flags} }`;
    const maker = `(([object, key, value]) => { ${ifChangeable} Object.defineProperty(object, key, ${descriptor}); })`;
    this.#change(maker, [holder, property.key, value], { path, names: ['', '', String(key)] });
  }

  #isRefused(now: PropertyDescriptor, property: Property): boolean {
    return !isPrimitive(now.value) && property.value === undefined && !property.accessor;
  }

  #setElements(holder: Node, now: readonly unknown[], path: Path): void {
    const values = now.map((each) => this.#value(each, path));
    this.#change(
      '(([array, ...elements]) => { array.length = 0; for (const each of elements) array.push(each); })',
      [holder, ...values],
      {
        path,
        names: ['', ...now.keys()].map(String),
      },
    );
  }

  #setEntries(holder: Node, { now, isMap, kept }: Difference & { type: 'entries' }, path: Path): void {
    const own = isMap ? 'Map.prototype' : 'Set.prototype';
    const cut = `[...${own}.keys.call(all)].slice(kept).forEach((key) => ${own}.delete.call(all, key));`;
    const put = isMap
      ? `for (let at = 0; at < entries.length; at += 2) ${own}.set.call(all, entries[at], entries[at + 1]);`
      : `for (const each of entries) ${own}.add.call(all, each);`;
    const values = now.flat().map((each) => this.#value(each, path));
    const names = now.flatMap(([key, ...rest]) => ['key', ...rest.map(() => (isPrimitive(key) ? String(key) : 'value'))]);
    this.#change(`(([all, kept, ...entries]) => { ${cut} ${put} })`, [holder, kept, ...values], {
      path,
      names: ['', '', ...names],
    });
  }

  #setVariable({ scope, name, now, before }: Difference & { type: 'variable' }, path: Path): void {
    const place = this.#found.placeOf(scope);
    if (place === undefined) return this.#unreachable(path);
    // A constant can't have been reassigned. Either its value depends on the process and the replica computes its own, or its
    // counterpart was paired with another object of the same kind.
    if (place.constants.has(name)) return this.#isOfKind(now, before) ? this.#unreachable(path) : undefined;
    const value = this.#value(now, path);
    if (!isPrimitive(now) && value === undefined) return;
    const setter = this.#found.variable(place, { scope, name: `set ${name}`, path });
    if (setter === undefined) return this.#unreachable(path);
    this.#change('(([set, value]) => set(value))', [setter, value], { path, names: ['', name] });
  }

  #isOfKind(now: unknown, before: Reference): boolean {
    if (typeof now !== 'object' || now === null || typeof before !== 'number') return false;
    return this.#comparison.isOfKind(now, before);
  }

  /** Changes the content in place, because other values refer to the holder. */
  #setContent(holder: Node, now: object, path: Path): void {
    if (Array.isArray(now)) return this.#setElements(holder, now, path);
    if (types.isDate(now)) {
      const time = Date.prototype.getTime.call(now);
      return this.#change('(([date, time]) => date.setTime(time))', [holder, time], { path, names: ['', 'time'] });
    }
    if (!ArrayBuffer.isView(now)) return;
    const bytes = Uint8Array.from(new Uint8Array(now.buffer, now.byteOffset, now.byteLength));
    const maker = '(([view, bytes]) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(bytes))';
    this.#change(maker, [holder, this.#value(bytes, path)], { path, names: ['', 'bytes'] });
  }

  #setPrivate(holder: Node, { holder: number, name, nth, now }: Difference & { type: 'private' }, path: Path): void {
    const setter = this.#found.privateAccess({ number, holder, nth, access: `set ${name}` }, path);
    if (setter === undefined) return this.#unreachable(path);
    const value = this.#value(now, path);
    if (!isPrimitive(now) && value === undefined) return;
    this.#change('(([set, object, value]) => set(object, value))', [setter, holder, value], { path, names: ['', '', name] });
  }

  #value(value: unknown, path: Path): Value {
    return this.#builder.value(value, path);
  }

  /** Adds a value that nothing refers to. It is created for its side effect. */
  #change(maker: string, values: readonly Value[], { path, names }: Change): void {
    for (const value of values) if (isNode(value)) value.references++;
    this.changes.push({ ...this.#builder.shell(path), references: 2, kind: 'change', maker, values, names });
  }

  /** Whether the package itself put its functions on its prototypes. It will do so again when needed. */
  #isOwnDoing(difference: Difference): boolean {
    if (difference.type !== 'property' || difference.before !== undefined) return false;
    const step = this.#comparison.stepTo(difference.holder);
    const isOfPrototype = step?.type === 'prototype' || (step?.type === 'property' && step.key === 'prototype');
    if (!isOfPrototype) return false;
    const { inspector, origins } = this.#builder.sources;
    const { value, get, set } = difference.now ?? {};
    return [value, get, set].some((each: unknown) => {
      const scriptId = typeof each === 'function' && !types.isProxy(each) ? inspector.facts(each).scriptId : undefined;
      return scriptId !== undefined && origins.owner(scriptId) === 'package';
    });
  }

  #unreachable(path: Path): void {
    this.#builder.refuse(path, {
      what: 'changed in this process, in a place that a replica can not reach',
      fix: 'set it in `setup`',
    });
  }
}
