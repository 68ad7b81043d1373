import { types } from 'node:util';
import type { ModuleNode, Node } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import type { Refusal } from '../graph/problem.ts';
import { symbolExpression } from '../heap/intrinsics.ts';
import type { PackageMember } from '../heap/package-members.ts';
import { peekVariable } from '../heap/scopes.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { topScope } from './name-uses.ts';
import { classOf } from './private-fields.ts';
import { ownName } from './properties.ts';
import { heldInHeap } from './refusals.ts';

/** A private top-level value of a package's module, through which the module's classes find the state of their instances. */
interface Kept {
  readonly value: object | symbol;
  readonly inside: PackageMember;
}

const isWeak = (value: unknown): value is WeakMap<object, unknown> | WeakSet<object> =>
  types.isWeakMap(value) || types.isWeakSet(value);

/** What a package's class can reach of its own module. */
interface Surroundings {
  /** Symbols and weak collections that the module keeps private at its top level. */
  readonly kept: readonly Kept[];
  /** Whether the class can reach the memory of WebAssembly or asm.js. */
  readonly hasHeap: boolean;
}

const nothing: Surroundings = { kept: [], hasHeap: false };

/**
 * Results by class. `settled` is valid for the whole process: every variable in reach has a value. Otherwise a variable may
 * still be set, so the result is valid for one capture only.
 */
const settled = new WeakMap<Function, Surroundings>();
const surroundings = new WeakMap<GraphBuilder, Map<Function, Surroundings>>();

function surroundingsOf(builder: GraphBuilder, owner: Function): Surroundings {
  const byClass = surroundings.get(builder) ?? new Map<Function, Surroundings>();
  surroundings.set(builder, byClass);
  const found = settled.get(owner) ?? byClass.get(owner) ?? readSurroundings(builder, owner);
  byClass.set(owner, found);
  return found;
}

function readSurroundings({ sources: { inspector, origins } }: GraphBuilder, owner: Function): Surroundings {
  const facts = inspector.facts(owner);
  const { scriptId, scopes } = facts;
  if (scriptId === undefined || origins.owner(scriptId) !== 'package') return nothing;
  const top = topScope(facts);
  const kept: Kept[] = [];
  let hasHeap = false;
  let isSettled = true;
  for (const scope of scopes) {
    if (scope.type === 'global') continue;
    for (const name of Object.getOwnPropertyNames(scope.variables)) {
      const value = peekVariable(scope, name);
      hasHeap ||= isHeap(value);
      isSettled &&= value !== undefined && value !== null;
      if (scope !== top || (typeof value !== 'symbol' && !isWeak(value))) continue;
      const inside = origins.inside(scriptId, name);
      if (inside !== undefined) kept.push({ value, inside });
    }
  }
  const found = { kept, hasHeap };
  if (isSettled || hasHeap) settled.set(owner, found);
  return found;
}

/**
 * Returns an instance's classes, up to the first one of the language or Node. Stops at a proxy: looking behind it would run its
 * handler.
 */
export function ownClasses({ sources: { intrinsics, builtins } }: GraphBuilder, instance: object): readonly Function[] {
  const classes: Function[] = [];
  for (let each = Reflect.getPrototypeOf(instance); each !== null && !types.isProxy(each); each = Reflect.getPrototypeOf(each)) {
    if ((intrinsics.find(each) ?? builtins.find(each)) !== undefined) break;
    const owner = classOf(each);
    if (owner !== undefined && !types.isProxy(owner)) classes.push(owner);
  }
  return classes;
}

/**
 * Refuses an instance whose class belongs to a package and can reach the memory of WebAssembly or asm.js. Such an instance
 * holds addresses in that memory; emscripten and wasm-bindgen generate classes of this form.
 */
export function refusalByHeap(builder: GraphBuilder, instance: object): Refusal | undefined {
  const owner = ownClasses(builder, instance).find((each) => surroundingsOf(builder, each).hasHeap);
  return owner === undefined ? undefined : heldInHeap(`an instance of ${ownName(owner) || 'a class'}`);
}

/**
 * Registers the values that identify an instance's private state as the package's own, since the bundled package provides the
 * class: symbols used as keys, and the weak collections that hold the instance, with what they hold for it. Compilers implement
 * private members this way. Call this after the instance has its node and before its properties are read.
 */
export function captureKept(builder: GraphBuilder, instance: object, node: Node): void {
  for (const owner of ownClasses(builder, instance)) {
    for (const { value, inside } of surroundingsOf(builder, owner).kept) {
      if (typeof value === 'symbol') knowSymbol(builder, value, { inside, path: node.path });
      else if (isWeak(value)) keep(builder, value, { instance, inside, node });
    }
  }
}

function knowSymbol(builder: GraphBuilder, symbol: symbol, { inside, path }: { inside: PackageMember; path: Path }): void {
  if (builder.known(symbol) !== undefined || symbolExpression(symbol) !== undefined) return;
  const { builtins, origins } = builder.sources;
  if (builtins.find(symbol) !== undefined) return;
  builder.register(symbol, builder.exported(origins.packageExports(symbol) ?? inside, path));
}

function keep(
  builder: GraphBuilder,
  collection: WeakMap<object, unknown> | WeakSet<object>,
  { instance, inside, node }: { instance: object; inside: PackageMember; node: Node },
): void {
  const isMap = types.isWeakMap(collection);
  const has = isMap ? WeakMap.prototype.has : WeakSet.prototype.has;
  if (!Reflect.apply(has, collection, [instance])) return;
  const keeper: Node = builder.known(collection) ?? builder.register(collection, builder.exported(inside, node.path));
  if (keeper.kind !== 'module') return;
  node.references++;
  if (!isMap) return void keptBy(builder, keeper).push([node]);
  const held: unknown = Reflect.apply(WeakMap.prototype.get, collection, [instance]);
  const path = { parent: node.path, label: `private ${inside.member.join('.')}` };
  builder.later(() => void keptBy(builder, keeper).push([node, builder.value(held, path)]));
}

function keptBy(builder: GraphBuilder, node: ModuleNode): NonNullable<ModuleNode['kept']> {
  if (node.kept === undefined) {
    node.kept = [];
    builder.extras.push(node);
  }
  return node.kept;
}

/** Whether a value is a memory, the exports of a WebAssembly instance, or emscripten's module object. */
function isHeap(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return false;
  if (isMemory(value)) return true;
  for (const key of ['memory', 'HEAPU8', 'HEAP8']) {
    const held: unknown = Reflect.getOwnPropertyDescriptor(value, key)?.value;
    if (key === 'memory' ? isMemory(held) : types.isTypedArray(held)) return true;
  }
  return false;
}

const isMemory = (value: unknown): boolean => Object.prototype.toString.call(value) === '[object WebAssembly.Memory]';
