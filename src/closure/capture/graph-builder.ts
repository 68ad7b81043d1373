import { dirname } from 'node:path';
import { isOwnCode } from '../../util/package-files.ts';
import {
  type Capture,
  type ChangeNode,
  type DataNode,
  type FunctionNode,
  type IntrinsicNode,
  isPrimitive,
  type ModuleNode,
  type ModuleSource,
  type Node,
  type ObjectNode,
  type Shell,
  type Value,
} from '../graph/nodes.ts';
import { type Path, printPath } from '../graph/path.ts';
import type { FoundProblem, Problem, Refusal } from '../graph/problem.ts';
import { symbolExpression } from '../heap/intrinsics.ts';
import type { PackageRoots } from '../heap/loaded-modules.ts';
import { installedRoot, type PackageMember, packageRootOf } from '../heap/package-members.ts';
import type { Sources } from '../heap/sources.ts';
import { Environments } from './environments.ts';
import { refusalsOfText } from './refusals.ts';

/** What the process changed in the packages that a closure uses, compared with a fresh load of them. */
export interface PackageStateReader {
  /** The changes to apply to the replica's copies of packages. */
  readonly changes: readonly ChangeNode[];
  /** The values to look up in packages before any change is applied. */
  readonly found: readonly Node[];
  /** Returns the node of a value that the replica finds in its own copy of a package. */
  find(value: unknown): Node | undefined;
  isPaired(value: unknown): boolean;
  /** Whether a module's member holds this value only because this process changed it. */
  isNew(value: unknown, member: PackageMember): boolean;
  /** Returns the current value of an import, if the replica's copy of the package may load with a different one. */
  now(raw: unknown, path: Path): { readonly value: Value } | undefined;
  /** Captures the differences. */
  carry(): void;
  /** Whether the values at a place in a package are captured because they differ. */
  isCarrying(what: string): boolean;
  /** Describes the value as loaded and the value now. */
  describe(what: string): string;
}

/** Creates the node of an object that must travel by value. Returns undefined if the object is refused. */
export type CaptureByValue = (builder: GraphBuilder, value: object, path: Path) => Node | undefined;

/** Notes properties that the program added to a package's object. */
export type CapturePatches = (builder: GraphBuilder, node: ModuleNode, value: object) => void;

/**
 * Turns values of the process into a graph with one node per object. Nodes are created first and filled later from a work list,
 * so neither cycles nor depth matter. Runs no user code: properties are read through their descriptors.
 */
export class GraphBuilder {
  readonly sources: Sources;
  readonly environments: Environments;
  readonly functions: FunctionNode[] = [];
  readonly data: DataNode[] = [];
  /** Functions that the program added to packages' objects. The module in the bundle doesn't have them. */
  readonly patches = new Set<unknown>();
  /** Captures of the variables behind the exports of module namespaces. */
  readonly live: Capture[] = [];
  /** Script IDs of the user's modules, by namespace. */
  readonly namespaceScripts = new Map<object, string>();
  /** Values to write even though nothing refers to them. */
  readonly extras: Value[] = [];
  /** Values that the bundle passes to the calls that create other values. */
  readonly evaluated: Value[] = [];
  readonly problems: FoundProblem[] = [];
  /** The user's modules from which only some members were requested, by exports object. */
  readonly viewed = new Map<object, ObjectNode>();
  /** Namespaces of the user's own ES modules. */
  readonly namespaces = new Set<Node>();
  /** For each function read as a member, the object it was read from. */
  readonly holders = new Map<Function, object>();
  /** The `this` of each arrow function that uses it. */
  readonly outerThis = new Map<Function, unknown>();
  /** The members of each object. Nothing changes them while the heap is read. */
  readonly membersOf = new WeakMap<object, ReadonlySet<unknown>>();
  /** The changes inside the packages that the closure uses. Undefined until they are known. */
  state: PackageStateReader | undefined;
  /**
   * Package scripts with captured functions that couldn't be located; the next pass over the heap may locate them. Undefined if
   * such functions are captured by value instead.
   */
  unknown: Set<string> | undefined;
  /** Problems in the state of packages, by place in the package. */
  readonly lostState = new Map<string, Problem>();
  /** Rebuild functions of reducers. They may be clipper-ts's own code, which otherwise can't be captured. */
  readonly travelling = new Set<unknown>();
  readonly #nodes = new Map<unknown, Node>();
  readonly #refused = new Map<Path, unknown>();
  readonly #modulesByKey = new Map<string, ModuleNode>();
  readonly #capture: CaptureByValue;
  readonly #capturePatches: CapturePatches;
  #waiting: DataNode[] = [];
  #fills: Array<() => void> = [];
  #lastFills: Array<() => void> = [];

  constructor(sources: Sources, capture: CaptureByValue, patches: CapturePatches) {
    this.sources = sources;
    this.#capture = capture;
    this.#capturePatches = patches;
    this.environments = new Environments(sources);
  }

  /** Returns what stands for a value in the graph: the primitive itself, or the object's node. */
  value(value: unknown, path: Path): Value {
    if (isPrimitive(value)) return value;
    const node = this.#nodes.get(value) ?? this.#reference(value as object, path) ?? this.#capture(this, value as object, path);
    if (node === undefined) this.#refused.set(path, value);
    else node.references++;
    return node;
  }

  /** Registers a node as the stand-in of a value, before the value is reached in another way. */
  register<N extends Node>(value: unknown, node: N): N {
    this.#nodes.set(value, node);
    return node;
  }

  /** Returns all values, by the printed path on which each was reached. */
  valuesByPath(): ReadonlyMap<string, unknown> {
    const nodes = [...this.#nodes].map(([value, { path }]) => [path, value] as const);
    const all = [...nodes, ...this.#refused].filter(([, value]) => typeof value !== 'symbol');
    // Later entries win, so reverse the order: the first value found on a path is set last.
    return new Map(all.reverse().map(([path, value]) => [printPath(path), value]));
  }

  known(value: unknown): Node | undefined {
    return this.#nodes.get(value);
  }

  /** Turns the objects among a node's values into nodes once the current work is done. */
  laterValues(node: DataNode): void {
    this.#waiting.push(node);
  }

  /** Returns the nodes of the user's own modules that travel with all their exports. */
  wholeModules(): Set<Node> {
    const loaded = this.sources.origins.loaded(/^(?!.*[\\/]node_modules[\\/])/);
    const nodes = loaded.map((exports) => this.#nodes.get(exports)).filter((node) => node?.kind === 'object');
    return new Set([...this.namespaces, ...(nodes as Node[])]);
  }

  /** Reads the rest of a node once the current work is done. */
  later(fill: () => void): void {
    this.#fills.push(fill);
  }

  /** Runs once everything else is captured. `fill` may capture more. */
  afterwards(fill: () => void): void {
    this.#lastFills.push(fill);
  }

  /** Works until nothing is left, then decides which variables are shared. */
  finish(): void {
    while (this.#waiting.length + this.#fills.length + this.#lastFills.length > 0) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const node of waiting) this.#fillValues(node);
      if (waiting.length > 0) continue;
      const fills = this.#fills.length > 0 ? this.#fills : this.#lastFills;
      if (fills === this.#fills) this.#fills = [];
      else this.#lastFills = [];
      for (const fill of fills) fill();
    }
    this.environments.bind();
  }

  #fillValues(node: DataNode): void {
    const { values = [] } = node;
    for (let index = 0; index < values.length; index++) {
      const raw: unknown = values[index];
      if (isPrimitive(raw)) continue;
      const known = this.#nodes.get(raw);
      if (known === undefined) values[index] = this.value(raw, { parent: node, label: node.keyOf(index), isKey: true });
      else {
        known.references++;
        values[index] = known;
      }
    }
  }

  /** Returns a placeholder for a package's function that the next pass over the heap may locate. */
  lookUpLater(scriptId: string, path: Path): Node | undefined {
    this.unknown?.add(scriptId);
    return this.unknown === undefined ? undefined : this.intrinsic('undefined', path);
  }

  refuse(path: Path, { what, fix }: Refusal): undefined {
    const problem = { path: printPath(path), what, fix, at: path };
    const root = String(rootOf(path).label);
    if (this.state?.isCarrying(root) === true) this.lostState.set(root, problem);
    else this.problems.push(problem);
  }

  shell(path: Path): Shell {
    return { path, references: 0, prototype: undefined, properties: [], integrity: 'extensible', privates: undefined };
  }

  intrinsic(expression: string, path: Path): IntrinsicNode {
    return { ...this.shell(path), kind: 'intrinsic', expression };
  }

  /** Returns the single node of a module's member, however it was reached. */
  module(source: ModuleSource, member: readonly string[], path: Path): ModuleNode {
    const key = JSON.stringify([source, member]);
    if (isOwnModule(source) && !this.#modulesByKey.has(key)) this.refuse(path, refusalsOfText.ourselves);
    const node: ModuleNode = this.#modulesByKey.get(key) ?? { ...this.shell(path), kind: 'module', source, member };
    this.#modulesByKey.set(key, node);
    return node;
  }

  /** Returns the folders of the referenced packages. */
  packageRoots(): PackageRoots {
    const [common, modules] = [new Set<string>(), new Set<string>()];
    for (const { source } of this.#modulesByKey.values()) {
      if (source.type === 'builtin') continue;
      const root = source.type === 'import' ? installedRoot(source) : packageRootOf(source.file);
      const isModule = source.type === 'import' || (source.type === 'inside' && source.isModule);
      if (root !== undefined) (isModule ? modules : common).add(root);
    }
    for (const scriptId of this.unknown ?? []) {
      const root = packageRootOf(this.sources.origins.file(scriptId) ?? '');
      if (root !== undefined) (this.sources.origins.isModule(scriptId) ? modules : common).add(root);
    }
    for (const root of this.sources.loaded.forEffect(this.functions.map(({ scriptId }) => scriptId))) modules.add(root);
    // An import may resolve to CommonJS.
    for (const root of modules) if (!this.sources.loaded.hasModules(root)) common.add(root);
    return { common, modules };
  }

  #patched(value: object | symbol, node: ModuleNode): ModuleNode {
    if (typeof value === 'object') this.later(() => this.#capturePatches(this, node, value));
    return node;
  }

  /** Returns the node of a package's export or top-level variable. */
  exported({ member, ...found }: PackageMember, path: Path): ModuleNode {
    if (found.type !== 'import') return this.module(found, member, path);
    return this.module({ type: 'import', specifier: found.file, from: dirname(found.file) }, member, path);
  }

  /** Returns the node of a value that is already known, that every process has, or that the replica finds in a package. */
  reference(value: unknown, path: Path): Node | undefined {
    return this.#nodes.get(value) ?? this.#reference(value as object, path);
  }

  #reference(value: object | symbol, path: Path): Node | undefined {
    const node = this.#findReference(value, path);
    return node === undefined ? undefined : this.register(value, node);
  }

  /** A member that was added after the module loaded isn't in the replica's copy. */
  asLoaded(value: unknown, member: PackageMember | undefined): PackageMember | undefined {
    return member !== undefined && this.state?.isNew(value, member) === true ? undefined : member;
  }

  #findReference(value: object | symbol, path: Path): Node | undefined {
    const { intrinsics, builtins, origins } = this.sources;
    const expression = typeof value === 'symbol' ? symbolExpression(value) : intrinsics.find(value);
    if (expression !== undefined) return this.intrinsic(expression, path);
    const builtin = builtins.find(value);
    if (builtin !== undefined) return this.module({ type: 'builtin', name: builtin.name }, builtin.member, path);
    const exported = this.asLoaded(value, origins.packageExports(value));
    if (exported !== undefined) return this.#patched(value, this.exported(exported, path));
    const found = typeof value === 'function' ? undefined : this.state?.find(value);
    if (found !== undefined) return found;
    return typeof value === 'symbol' ? { ...this.shell(path), kind: 'symbol', description: value.description } : undefined;
  }
}

function rootOf(path: Path): Path {
  let root = path;
  while (root.parent !== undefined) root = root.parent;
  return root;
}

/** Whether a module is part of clipper-ts itself. */
const isOwnModule = (source: ModuleSource): boolean =>
  source.type === 'import'
    ? /^clipper-ts(?:\/|$)/.test(source.specifier) || isOwnCode(source.specifier)
    : source.type !== 'builtin' && isOwnCode(source.file);
