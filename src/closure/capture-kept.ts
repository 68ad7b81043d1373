import { types } from 'node:util';
import { classesOf } from './capture-privates.ts';
import { topScope } from './capture-uses.ts';
import type { ModuleNode, Node, Path } from './graph.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { peekVariable } from './inspector.ts';
import { symbolExpression } from './intrinsics.ts';
import type { PackageMember } from './package-members.ts';

/** What a module of a package keeps to itself at its top level, by which its classes find the state of their instances. */
interface Kept {
  readonly value: object | symbol;
  readonly inside: PackageMember;
}

const isWeak = (value: unknown): value is WeakMap<object, unknown> | WeakSet<object> =>
  types.isWeakMap(value) || types.isWeakSet(value);

/** The symbols and weak collections of the module that defines a class of a package. */
function keptBeside(builder: GraphBuilder, owner: Function): readonly Kept[] {
  const known = builder.keptBeside.get(owner);
  if (known !== undefined) return known;
  const { inspector, origins } = builder.sources;
  const facts = inspector.facts(owner);
  const scope = topScope(facts);
  const found: Kept[] = [];
  builder.keptBeside.set(owner, found);
  if (facts.scriptId === undefined || scope === undefined || origins.owner(facts.scriptId) !== 'package') return found;
  for (const name of Object.getOwnPropertyNames(scope.variables)) {
    const value = peekVariable(scope, name);
    if (typeof value !== 'symbol' && !isWeak(value)) continue;
    const inside = origins.inside(facts.scriptId, name);
    if (inside !== undefined) found.push({ value, inside });
  }
  return found;
}

/**
 * Makes what identifies the state of an instance known as the package's own, whose class comes from the bundle: the symbols
 * that are keys of it, and the weak collections that hold it, as compilers write private members, with what they hold.
 */
export function captureKept(builder: GraphBuilder, instance: object, path: Path): void {
  for (const owner of classesOf(instance)) {
    for (const { value, inside } of keptBeside(builder, owner)) {
      if (typeof value === 'symbol') knowSymbol(builder, value, { inside, path });
      else if (isWeak(value)) keep(builder, value, { instance, inside, path });
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
  { instance, inside, path }: { instance: object; inside: PackageMember; path: Path },
): void {
  const isMap = types.isWeakMap(collection);
  const has = isMap ? WeakMap.prototype.has : WeakSet.prototype.has;
  if (!Reflect.apply(has, collection, [instance])) return;
  const node: Node = builder.known(collection) ?? builder.register(collection, builder.exported(inside, path));
  if (node.kind !== 'module') return;
  // The instance itself is only being captured.
  builder.later(() => {
    const key = builder.value(instance, path);
    const held: unknown = isMap ? Reflect.apply(WeakMap.prototype.get, collection, [instance]) : undefined;
    const kept = builder.value(held, { parent: path, label: `private ${inside.member.join('.')}` });
    keptBy(builder, node).push(isMap ? [key, kept] : [key]);
  });
}

function keptBy(builder: GraphBuilder, node: ModuleNode): NonNullable<ModuleNode['kept']> {
  if (node.kept === undefined) {
    node.kept = [];
    builder.extras.push(node);
  }
  return node.kept;
}
