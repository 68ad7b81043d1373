import { fileURLToPath } from 'node:url';
import { isOwnCode } from '../../util/package-files.ts';
import { hasPrivateNames, mayHavePrivates } from '../capture/private-fields.ts';
import { isPrimitive } from '../graph/nodes.ts';
import { Builtins } from '../heap/builtins.ts';
import { HeapInspector } from '../heap/inspector.ts';
import { Intrinsics } from '../heap/intrinsics.ts';
import { LoadedModules } from '../heap/loaded-modules.ts';
import { Origins } from '../heap/origins.ts';
import { inPackage } from '../heap/package-members.ts';
import { peekVariable, type Scope } from '../heap/scopes.ts';
import type { Sources } from '../heap/sources.ts';
import {
  additionsTo,
  boundParts,
  contentOf,
  extensible,
  identify,
  isVariable,
  isWalked,
  type Parts,
  partsOf,
} from './identify.ts';
import { primitiveReference, type Reference, type Snapshot, type SnapshotNode, type SnapshotScope } from './snapshot.ts';

interface LoadedModule {
  readonly file: string;
  readonly isModule: boolean;
  readonly exports: unknown;
}

/** Records the state that packages' modules lead to. `common` are the CommonJS modules. */
export async function takeSnapshot(common: Readonly<Record<string, { exports: unknown } | undefined>>): Promise<Snapshot> {
  using inspector = new HeapInspector();
  const modules: LoadedModule[] = [];
  for (const [file, module] of Object.entries(common)) {
    if (inPackage(file) && !isOwnCode(file)) modules.push({ file, isModule: false, exports: module?.exports });
  }
  for (const { isModule, url } of [...inspector.scripts]) {
    if (!isModule || !url.startsWith('file:') || !inPackage(url)) continue;
    modules.push({ file: fileURLToPath(url), isModule, exports: await import(url) });
  }
  return new Walk(inspector).from(modules);
}

/** In packages with more nodes, only the outer parts are compared. */
const mostNodes = 20_000;
const mostOthers = 4;
/** A scope with more variables belongs to a whole program, which no factory creates again. */
const mostClosed = 50;
const beyond: SnapshotNode = { kind: 'beyond', tag: '' };

class Walk {
  readonly #sources: Sources;
  readonly #numbers = new Map<unknown, number>();
  readonly #values: unknown[] = [];
  readonly #nodes: SnapshotNode[] = [];
  readonly #scopes: SnapshotScope[] = [];
  /** The number of scopes around each function of a package, by node number. */
  readonly #depths = new Map<number, number>();
  readonly #scopesByFunction = new Map<string, SnapshotScope[]>();
  /** Scopes by their distinguishing content, with the positions of the functions that showed them. */
  readonly #scopesByKey = new Map<string, { readonly scope: SnapshotScope; readonly places: Set<string> }>();

  constructor(inspector: HeapInspector) {
    const origins = new Origins(inspector);
    const builtins = new Builtins();
    builtins.refresh();
    const intrinsics = new Intrinsics((fn) => origins.isOfNode(fn));
    intrinsics.learnLazy();
    builtins.learnDeep();
    this.#sources = { inspector, origins, loaded: new LoadedModules(inspector, origins), builtins, intrinsics };
  }

  from(loaded: readonly LoadedModule[]): Snapshot {
    const modules: Record<string, { isModule: boolean; node: number }> = {};
    for (const { file, isModule, exports } of loaded) {
      const node = this.#reference(exports);
      if (typeof node === 'number') modules[file] = { isModule, node };
    }
    const additions: Record<string, number> = {};
    for (const expression of extensible) {
      const found = additionsTo(this.#sources, expression);
      if (found === undefined || found.parts.properties.length === 0) continue;
      additions[expression] = this.#nodes.push({ kind: 'known', tag: expression }) - 1;
      this.#values.push(found.holder);
      this.#fillProperties(this.#nodes.at(-1) as SnapshotNode, found.parts);
    }
    for (let number = 0; number < this.#values.length; number++) this.#fill(number);
    for (const scope of this.#scopes) scope.isQuiet = this.#isQuiet(scope);
    const process = { pid: globalThis.process.pid, began: Math.floor(performance.timeOrigin), ended: Date.now() };
    return { ...process, modules, additions, nodes: this.#nodes, scopes: this.#scopes };
  }

  #reference(value: unknown): Reference {
    if (isPrimitive(value)) return primitiveReference(value);
    const known = this.#numbers.get(value);
    if (known !== undefined) return known;
    const isBeyond = this.#nodes.length >= mostNodes;
    const number = this.#nodes.push(isBeyond ? beyond : identify(this.#sources, value as object)) - 1;
    this.#numbers.set(value, number);
    this.#values.push(value);
    return number;
  }

  #fill(number: number): void {
    const [node, value] = [this.#nodes[number], this.#values[number]];
    if (node === undefined || !isWalked(node.kind)) return;
    if (node.kind === 'data') node.content = contentOf(value as object);
    if (!Object.isExtensible(value) && node.tag !== 'namespace') node.isFixed = true;
    const parts = partsOf(value as object, node.kind);
    const { prototype, entries } = parts;
    node.prototype = this.#reference(prototype);
    this.#fillProperties(node, parts);
    const isClass = typeof value === 'function' && hasPrivateNames(value);
    if (isClass || mayHavePrivates(this.#sources, value as object)) {
      const { fields } = this.#sources.inspector.privateState(value as object);
      if (fields.length > 0) node.privates = fields.map(({ name, value: held }) => [name, this.#reference(held)]);
    }
    if (entries.length > 0) {
      const isMap = node.kind === 'map';
      node.entries = entries.map(([key, held]) =>
        isMap ? [this.#reference(key), this.#reference(held)] : [this.#reference(key)],
      );
    }
    if (node.kind === 'bound') {
      const { bound } = this.#sources.inspector.facts(value as Function);
      if (bound !== undefined) node.bound = boundParts(bound).map((each) => this.#reference(each));
    }
    if (node.kind === 'weak') {
      const held = this.#sources.inspector.weakEntries(value as object);
      if (held.length > 0) node.weak = held.map((each) => [this.#reference(each.key), this.#reference(each.value)]);
    }
    if (node.kind === 'function') this.#readScopes(value as Function, number);
  }

  #fillProperties(node: SnapshotNode, { properties }: Parts): void {
    if (properties.length === 0) return;
    node.properties = properties.map(([key, { value: held, get, set }]) => {
      const name = typeof key === 'string' ? key : ([this.#reference(key)] as const);
      const isAccessor = get !== undefined || set !== undefined;
      return isAccessor ? [name, this.#reference(get), this.#reference(set)] : [name, this.#reference(held)];
    });
  }

  #readScopes(fn: Function, number: number): void {
    const { inspector, origins } = this.#sources;
    const { scriptId, scopes, location } = inspector.facts(fn);
    const file = scriptId === undefined || origins.owner(scriptId) !== 'package' ? undefined : origins.file(scriptId);
    if (scriptId === undefined || file === undefined) return;
    const own = scopes.filter(isOwnScope);
    this.#depths.set(number, own.length);
    const closed: [number, string, Reference][] = [];
    const text = own.length > 1 ? origins.text(scriptId) : undefined;
    for (const [index, scope] of own.entries()) {
      const names = Object.getOwnPropertyNames(scope.variables).filter(
        (name) => isVariable(name) && origins.importOf(scriptId, name) === undefined,
      );
      const values = names.map((name) => this.#reference(peekVariable(scope, name)));
      const depth = own.length - index - 1;
      if (depth > 0 && names.length <= mostClosed) {
        for (const [at, name] of names.entries()) {
          if (text?.assigns(name, location) === false) closed.push([depth, name, values[at] as Reference]);
        }
      }
      this.#note(
        {
          file,
          names,
          values,
          depth,
          through: [number],
          others: [],
          isOnly: true,
          isQuiet: false,
        },
        {
          kind: `${scriptId} ${scope.description}`,
          place: `${location.line}:${location.column}`,
        },
      );
    }
    const node = this.#nodes[number];
    if (node !== undefined && closed.length > 0) node.closed = closed;
  }

  #isQuiet({ through, names, values, depth }: SnapshotScope): boolean {
    const { scriptId, location } = this.#sources.inspector.facts(this.#values[through[0] ?? -1] as Function);
    const text = scriptId === undefined ? undefined : this.#sources.origins.text(scriptId);
    return values.every((value, index) => {
      if (text === undefined || text.assigns(names[index] ?? '', location)) return false;
      const node = typeof value === 'number' ? this.#nodes[value] : undefined;
      if (node?.kind !== 'function') return node === undefined || !isWalked(node.kind);
      const isMethod = (each: Reference): boolean => typeof each === 'number' && this.#nodes[each]?.kind === 'function';
      const isPlain = (node.properties ?? []).every(([key, each]) => key === 'prototype' || isMethod(each));
      return isPlain && (this.#depths.get(Number(value)) ?? 0) <= depth + 2;
    });
  }

  /** Whether one of the variables holds a function created in this very scope, which then belongs to a single call. */
  #isOneCall({ depth, names, values }: SnapshotScope): boolean {
    return (
      depth === 0 ||
      values.some((reference) => {
        const value = typeof reference === 'number' ? this.#values[reference] : undefined;
        if (typeof value !== 'function') return false;
        const scopes = this.#sources.inspector.facts(value).scopes.filter(isOwnScope);
        const { variables = {} } = scopes[scopes.length - depth - 1] ?? {};
        return names.every((name) => Object.hasOwn(variables, name));
      })
    );
  }

  /** Functions from the same position that see the same values may each have a scope, or share one. */
  #note(scope: SnapshotScope, { kind, place }: { kind: string; place: string }): void {
    if (scope.names.length === 0) return;
    const key = JSON.stringify([kind, scope.depth, scope.names, scope.values]);
    const known = this.#scopesByKey.get(key);
    const sameFunction = this.#scopesByFunction.get(`${kind} ${scope.depth} ${scope.names}`) ?? [];
    this.#scopesByFunction.set(`${kind} ${scope.depth} ${scope.names}`, sameFunction);
    if (known === undefined) {
      this.#scopes.push(scope);
      sameFunction.push(scope);
      if (sameFunction.length > 1) for (const each of sameFunction) each.isOnly = false;
      this.#scopesByKey.set(key, { scope, places: new Set([place]) });
    } else if (known.places.has(place) && !this.#isOneCall(scope)) {
      known.scope.through.push(...scope.through);
      known.scope.isOnly = false;
    } else {
      known.places.add(place);
      if (known.scope.others.length < mostOthers) known.scope.others.push(...scope.through);
    }
  }
}

/** Scopes of functions, blocks and modules. All others belong to the process. */
export const isOwnScope = ({ type }: Scope): boolean => type === 'closure' || type === 'block' || type === 'module';
