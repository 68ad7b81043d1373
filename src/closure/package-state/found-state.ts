import type { GraphBuilder } from '../capture/graph-builder.ts';
import { allCalls, isNode, type Node, type Value } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import type { Comparison } from './compare.ts';
import type { Step } from './differences.ts';
import { printStep } from './print-difference.ts';
import { placeOf, placeOfClass, type ScopePlace } from './scope-places.ts';
import type { SnapshotScope } from './snapshot.ts';

/** How a replica finds values in its own copy of a package: the path to them, as nodes. */
export class FoundState {
  /** The values to find before any of them is changed. */
  readonly nodes: Node[] = [];
  readonly #builder: GraphBuilder;
  readonly #comparison: Comparison;
  readonly #byNumber = new Map<number, Node | undefined>();
  readonly #places = new Map<SnapshotScope, { readonly place: ScopePlace | undefined }>();

  constructor(builder: GraphBuilder, comparison: Comparison) {
    this.#builder = builder;
    this.#comparison = comparison;
  }

  /** Returns the node that finds a value's counterpart in the replica. */
  node(number: number): Node | undefined {
    if (this.#byNumber.has(number)) return this.#byNumber.get(number);
    const step = this.#comparison.stepTo(number);
    // Guards against cycles. A shortest path has none.
    this.#byNumber.set(number, undefined);
    const node = step === undefined ? undefined : this.#follow(step);
    this.#byNumber.set(number, node);
    return node;
  }

  #follow(step: Step): Node | undefined {
    const path = { parent: undefined, label: printStep(this.#comparison, step) };
    if (step.type === 'module')
      return this.#builder.exported({ type: step.isModule ? 'import' : 'require', file: step.file, member: [] }, path);
    if (step.type === 'intrinsic') return this.#builder.intrinsic(step.expression, path);
    if (step.type === 'variable') {
      const place = this.placeOf(step.scope);
      return place === undefined ? undefined : this.variable(place, { scope: step.scope, name: step.name, path });
    }
    const from = this.node(step.from);
    if (from === undefined || step.type === 'bound') return undefined;
    if (step.type === 'prototype') return this.#made('Object.getPrototypeOf', [from], path);
    if (step.type === 'weak') {
      const key = this.node(step.key);
      return key === undefined
        ? undefined
        : this.#made('((map, key) => WeakMap.prototype.get.call(map, key))', [from, key], path);
    }
    if (step.type === 'private') {
      const at = { number: step.from, holder: from, nth: step.nth, access: `get ${step.name}` };
      const getter = this.privateAccess(at, path);
      return getter === undefined ? undefined : this.#made('((get, object) => get(object))', [getter, from], path);
    }
    if (step.type === 'entry') {
      const entries = `(all instanceof Map ? Map : Set).prototype.${step.role}s.call(all)`;
      return this.#made(`((all) => [...${entries}][${step.index}])`, [from], path);
    }
    const key = this.#builder.value(step.key, path);
    // A symbol created in the replica isn't a key of existing objects.
    if (isNode(key) && key.kind === 'symbol') return undefined;
    const maker =
      step.role === 'value'
        ? '((object, key) => object[key])'
        : `((object, key) => Object.getOwnPropertyDescriptor(object, key).${step.role})`;
    return this.#made(maker, [from, key], path);
  }

  #made(maker: string, values: readonly Value[], path: Path): Node {
    for (const value of values) if (isNode(value)) value.references++;
    // With two references it gets a variable, so it is found once, before anything is changed.
    const node: Node = { ...this.#builder.shell(path), references: 2, kind: 'made', maker, values };
    this.nodes.push(node);
    return node;
  }

  /** Returns the member through which the bundled module exposes a variable of a scope. */
  variable(
    { source, call }: ScopePlace,
    { scope, name, path }: { scope: SnapshotScope; name: string; path: Path },
  ): Node | undefined {
    if (call === undefined) return this.#builder.module(source, [name], path);
    const fn = this.node(call.fn);
    if (fn === undefined) return undefined;
    const wanted = scope.names.flatMap((each) => [each, `set ${each}`]);
    const calls = this.#builder.module(source, [allCalls, call.name, ...wanted], path);
    return this.#made(
      '((calls, key, fn, name) => calls.find((each) => each[key] === fn)[name])',
      [calls, call.name, fn, name],
      path,
    );
  }

  /** Returns a function of the class that declares a private name, which reads or assigns that name on an object. */
  privateAccess(
    { number, holder, nth, access }: { number: number; holder: Node; nth: number; access: string },
    path: Path,
  ): Node | undefined {
    const name = access.slice('get '.length);
    const source = placeOfClass(this.#builder, this.#comparison.valueOf(number) as object, { name, nth });
    if (source === undefined) return undefined;
    const has = `has ${name}`;
    const calls = this.#builder.module(source, [allCalls, has, `get ${name}`, `set ${name}`], path);
    // Several classes may come from the same text.
    const maker = '((calls, has, object, access) => calls.find((each) => each[has](object))[access])';
    return this.#made(maker, [calls, has, holder, access], path);
  }

  /** Returns where the bundled module exposes the variables of a scope. Cached, since finding the place requires parsing. */
  placeOf(scope: SnapshotScope): ScopePlace | undefined {
    const known = this.#places.get(scope) ?? { place: placeOf(this.#builder, this.#comparison, scope) };
    this.#places.set(scope, known);
    return known.place;
  }
}
