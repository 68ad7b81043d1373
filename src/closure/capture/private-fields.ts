import type { FunctionNode, Node, PrivateState, Shell } from '../graph/nodes.ts';
import type { PrivateFacts } from '../heap/inspector.ts';
import type { Sources } from '../heap/sources.ts';
import type { GraphBuilder } from './graph-builder.ts';

const privatesByPrototype = new WeakMap<object, boolean>();

/** Whether any class on an object's prototype chain, other than Node's, has private names in its text. */
export function mayHavePrivates({ intrinsics, builtins }: Sources, value: object): boolean {
  const passed: object[] = [];
  let found = false;
  for (let each = Reflect.getPrototypeOf(value); each !== null; each = Reflect.getPrototypeOf(each)) {
    const known = privatesByPrototype.get(each);
    if (known === undefined && (intrinsics.find(each) ?? builtins.find(each)) !== undefined) break;
    passed.push(each);
    const owner = classOf(each);
    const own = owner !== undefined && hasPrivateNames(owner);
    found = known ?? own;
    if (found || known !== undefined) break;
  }
  for (const prototype of passed) privatesByPrototype.set(prototype, found);
  return found;
}

/** Whether the text of a class may contain private names. */
export const hasPrivateNames = (owner: Function): boolean => /#[\p{ID_Start}_$]/u.test(Function.prototype.toString.call(owner));

/** Returns the class that an object is the prototype of. */
export function classOf(prototype: object): Function | undefined {
  const owner: unknown = Reflect.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  const isItsOwn = typeof owner === 'function' && Object.getOwnPropertyDescriptor(owner, 'prototype')?.value === prototype;
  return isItsOwn ? owner : undefined;
}

/** Returns the classes of an object, base class first. */
export function classesOf(object: object): Function[] {
  const classes: Function[] = [];
  for (let each = Reflect.getPrototypeOf(object); each !== null; each = Reflect.getPrototypeOf(each)) {
    const owner = classOf(each);
    if (owner !== undefined) classes.unshift(owner);
  }
  return classes;
}

/**
 * Reads the private state of an instance into its node. Returns the names of private fields whose class doesn't travel as text;
 * those fields can't be restored.
 */
export function capturePrivates(builder: GraphBuilder, node: Node, object: object): readonly string[] {
  const facts = builder.sources.inspector.privateState(object);
  if (facts.isEmpty) return [];
  const fields = [...facts.fields];
  const states: PrivateState[] = [];
  for (const each of classesOf(object)) {
    // All captured classes are known by now. The base class of a package's class stays in the package.
    const owner = builder.known(each);
    if (owner?.kind !== 'function' || owner.syntax.class === undefined) continue;
    const { privateFields, privateMethods } = owner.syntax.class;
    const own = fields.slice(0, privateFields.length).map(({ name }) => name);
    if (own.join() !== privateFields.join() || own.length + privateMethods.length === 0) continue;
    states.push(stateOf(builder, node, { owner, facts: { fields: fields.splice(0, own.length) }, isStatic: false }));
    owner.inside.restores = true;
  }
  if (states.length > 0) node.privates = states;
  return fields.map(({ name }) => name);
}

/** Reads the private static fields that a class declares. */
export function captureStaticPrivates(builder: GraphBuilder, node: FunctionNode, fn: Function): void {
  const names = new Set(node.syntax.class?.privateStatics.map(({ name }) => name));
  if (names.size === 0) return;
  const { fields } = builder.sources.inspector.privateState(fn);
  const own = fields.filter(({ name }) => names.has(name));
  node.privates = [stateOf(builder, node, { owner: node, facts: { fields: own }, isStatic: true })];
}

function stateOf(
  builder: GraphBuilder,
  node: Shell,
  { owner, facts, isStatic }: { owner: FunctionNode; facts: Pick<PrivateFacts, 'fields'>; isStatic: boolean },
): PrivateState {
  const fields = facts.fields.map(({ name, value }) => {
    owner.inside.slots.add(name);
    return [name, builder.value(value, { parent: node.path, label: name, isKey: true })] as const;
  });
  return { owner, isStatic, fields };
}
