import { types } from 'node:util';
import { runInThisContext } from 'node:vm';
import { type FunctionNode, isNode } from '../graph/nodes.ts';
import type { FunctionFacts } from '../heap/inspector.ts';
import { peekVariable } from '../heap/scopes.ts';
import type { GraphBuilder } from './graph-builder.ts';
import type { FunctionAtHand } from './name-uses.ts';
import { classesOf } from './private-fields.ts';
import { refusalsOfText } from './refusals.ts';

const textOf = (fn: Function): string => Function.prototype.toString.call(fn);

/** Returns the class that a method belongs to, if one of the method's scopes holds it. */
export function homeOf(builder: GraphBuilder, method: Function, { scopes }: FunctionFacts): Function | undefined {
  return functionsIn(scopes).find((each) => isOwner(builder, each, method));
}

function functionsIn(scopes: FunctionFacts['scopes']): readonly Function[] {
  return scopes.flatMap(({ type, variables }) => {
    if (type === 'global') return [];
    const values = Object.getOwnPropertyNames(variables).map((name) => peekVariable({ variables }, name));
    return values.filter((value): value is Function => typeof value === 'function' && !types.isProxy(value));
  });
}

function owns(builder: GraphBuilder, object: unknown, fn: Function): boolean {
  if ((typeof object !== 'object' && typeof object !== 'function') || object === null || types.isProxy(object)) return false;
  const members = builder.membersOf.get(object) ?? membersOf(object);
  builder.membersOf.set(object, members);
  return members.has(fn);
}

/** Returns the values and accessors of an object's own properties. */
function membersOf(object: object): ReadonlySet<unknown> {
  const descriptors: readonly PropertyDescriptor[] = Object.values(Object.getOwnPropertyDescriptors(object));
  return new Set(descriptors.flatMap(({ value, get, set }): readonly unknown[] => [value, get, set]));
}

/** Resolves private names and `super` in a function's text. Only the enclosing class or object defines them. */
export function captureHome(builder: GraphBuilder, node: FunctionNode, at: FunctionAtHand): void {
  const { outerPrivateNames, usesOuterSuper } = node.syntax;
  if (outerPrivateNames.length > 0) captureHost(builder, node, at);
  // A method's home is found through the object that has it, which may be captured later than the function.
  if (usesOuterSuper) builder.afterwards(() => captureSuper(builder, node, at));
}

/** Finds the class whose text contains this function. Its private names belong to that class. */
function captureHost(builder: GraphBuilder, node: FunctionNode, at: FunctionAtHand): void {
  const text = textOf(at.fn);
  const isHost = (each: Function): boolean => {
    const around = textOf(each);
    return around.startsWith('class') && around.length > text.length && around.includes(text);
  };
  const near = [...classesAround(builder, at), ...functionsIn(at.facts.scopes)];
  const far = (): readonly Function[] => everyFunction(builder).filter(isHost);
  // Several classes may have the same text; prefer the one that has this method.
  const found = near.find(isHost) ?? far().find((each) => isOwner(builder, each, at.fn)) ?? far()[0];
  const host = found === undefined ? undefined : builder.value(found, { parent: node.path, label: `class ${found.name}` });
  if (isNode(host) && host.kind === 'function' && host !== node) {
    node.host = host;
    host.inside.hosted.push(node);
    host.references++;
  } else builder.refuse(node.path, refusalsOfText.privateNames(node.syntax.outerPrivateNames));
}

const isOwner = (builder: GraphBuilder, each: Function, method: Function): boolean =>
  owns(builder, each, method) || owns(builder, Object.getOwnPropertyDescriptor(each, 'prototype')?.value, method);

/** Returns the classes of the `this` that an arrow function captured. */
function classesAround(builder: GraphBuilder, { fn }: FunctionAtHand): readonly Function[] {
  const self = builder.outerThis.get(fn);
  if (typeof self === 'function') return [self, ...ancestors(self)];
  return typeof self === 'object' && self !== null ? classesOf(self) : [];
}

function ancestors(fn: Function): readonly Function[] {
  const found: Function[] = [];
  for (let each: unknown = Reflect.getPrototypeOf(fn); typeof each === 'function'; each = Reflect.getPrototypeOf(each)) {
    found.push(each);
  }
  return found;
}

const everyFunction = (builder: GraphBuilder): readonly Function[] =>
  [...new Set([Function.prototype, runInThisContext('Function.prototype') as object])]
    .flatMap((prototype) => builder.sources.inspector.heirsOf(prototype))
    .filter((each): each is Function => typeof each === 'function' && !types.isProxy(each));

/** Captures the object in which `super` looks up members: the prototype of the object that the method was written in. */
function captureSuper(builder: GraphBuilder, node: FunctionNode, at: FunctionAtHand): void {
  const home = node.syntax.form === 'method' ? methodHome(builder, at.fn) : arrowHome(builder, at);
  if (home === undefined) return builder.refuse(node.path, refusalsOfText.super);
  node.superPrototype = builder.value(Reflect.getPrototypeOf(home), { parent: node.path, label: 'super' });
}

function methodHome(builder: GraphBuilder, fn: Function): object | undefined {
  const holder = builder.holders.get(fn);
  if (holder !== undefined) return holder;
  // Others may hold it under another name.
  const key = fn.name.replace(/^[gs]et /, '');
  const isHome = (each: object): boolean =>
    !types.isProxy(each) && (/^\[/.test(key) || Object.hasOwn(each, key)) && owns(builder, each, fn);
  const roots = [Object.prototype, runInThisContext('Object.prototype') as object];
  for (const root of new Set(roots)) {
    const found = builder.sources.inspector.heirsOf(root).find(isHome);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Returns the object whose method created an arrow function: an object on the chain of the arrow's `this` with a member whose
 * text contains the arrow's.
 */
function arrowHome(builder: GraphBuilder, { fn }: FunctionAtHand): object | undefined {
  const text = textOf(fn);
  let self = builder.outerThis.get(fn);
  for (; (typeof self === 'object' && self !== null) || typeof self === 'function'; self = Reflect.getPrototypeOf(self)) {
    if (types.isProxy(self)) return undefined;
    const owner = typeof self === 'function' ? self : Object.getOwnPropertyDescriptor(self, 'constructor')?.value;
    const isClass = typeof owner === 'function' && textOf(owner).startsWith('class');
    // An arrow in a field initializer or constructor appears only in the class's text.
    if (isClass && owner !== fn && textOf(owner).includes(text)) return self as object;
    const members: readonly PropertyDescriptor[] = Object.values(Object.getOwnPropertyDescriptors(self));
    const isAround = (member: unknown): boolean => typeof member === 'function' && member !== fn && textOf(member).includes(text);
    if (members.some(({ value, get, set }) => [value, get, set].some(isAround))) return self as object;
  }
  return undefined;
}
