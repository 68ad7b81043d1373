import type { FunctionNode, MemberNode, Node } from '../graph/nodes.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { fillShell } from './properties.ts';

const usualKeys = new Set<string | symbol>(['length', 'name', 'prototype']);

/** Whether a method has extra own properties or is not extensible. */
const isChanged = (member: Function): boolean =>
  !Object.isExtensible(member) || Reflect.ownKeys(member).some((key) => !usualKeys.has(key));

/**
 * The members of a class or constructor function. Members written in a class's text come with the class and are registered as
 * its parts up front; all others are captured as properties.
 */
export class ClassMembers {
  readonly #builder: GraphBuilder;
  readonly #node: FunctionNode;
  readonly #fn: Function;
  readonly #prototype: object | undefined;

  constructor(builder: GraphBuilder, node: FunctionNode, fn: Function) {
    this.#builder = builder;
    this.#node = node;
    this.#fn = fn;
    const prototype: unknown = Object.getOwnPropertyDescriptor(fn, 'prototype')?.value;
    this.#prototype = typeof prototype === 'object' && prototype !== null ? prototype : undefined;
    if (node.syntax.class !== undefined) this.#register(node, fn);
    const isNew = this.#prototype !== undefined && builder.known(this.#prototype) === undefined;
    if (isNew && this.#ownsPrototype(this.#prototype)) this.#registerPrototype(this.#prototype);
  }

  /** Whether a property of the class or its prototype is exactly what the class's text defines. */
  include(owner: Node, key: string | symbol, descriptor: PropertyDescriptor): boolean {
    const { value, get, set, enumerable, configurable, writable } = descriptor;
    const isUsual = enumerable === false && configurable === true && writable !== false;
    return isUsual && [value, get, set].some((member) => this.#isPart(member, owner, key));
  }

  /** Whether a function is the member written under this key in the text, not an alias of it. */
  #isPart(member: unknown, owner: Node, key: string | symbol): boolean {
    const node = this.#isTextual(member) ? this.#builder.known(member) : undefined;
    if (node?.kind !== 'member' || node.owner !== owner) return false;
    return node.key === (typeof key === 'string' ? key : this.#builder.value(key, owner.path));
  }

  /** Captures the parts of the function's `prototype` object that its text doesn't define. */
  fillPrototype(): void {
    const prototype = this.#prototype;
    if (prototype === undefined) return;
    const member = this.#builder.known(prototype);
    if (member?.kind !== 'member' || member.owner !== this.#node) return this.#fillForeign(prototype);
    const { class: classSyntax, isGenerator } = this.#node.syntax;
    const skip = (key: string | symbol, descriptor: PropertyDescriptor): boolean =>
      (key === 'constructor' && descriptor.value === this.#fn && descriptor.enumerable === false) ||
      this.include(member, key, descriptor);
    fillShell(this.#builder, member, prototype, { usualPrototype: isGenerator ? undefined : 'Object.prototype', skip });
    // A superclass or a generator function sets the prototype of the `prototype` object itself.
    const parent = Object.getOwnPropertyDescriptor(Reflect.getPrototypeOf(this.#fn) ?? {}, 'prototype')?.value as unknown;
    const isInherited = classSyntax?.heritage !== undefined && parent === Reflect.getPrototypeOf(prototype);
    if (isInherited || isGenerator) member.prototype = undefined;
    if (!Object.hasOwn(prototype, 'constructor') && !isGenerator) this.#node.deleted.push(['prototype', 'constructor']);
  }

  /** Captures a `prototype` object that replaced the function's original one. */
  #fillForeign(prototype: object): void {
    const { writable = false } = Object.getOwnPropertyDescriptor(this.#fn, 'prototype') ?? {};
    const value = this.#builder.value(prototype, { parent: this.#node.path, label: 'prototype' });
    const flags = { accessor: false, writable, enumerable: false, configurable: false };
    this.#node.properties.push({ key: 'prototype', value, get: undefined, set: undefined, ...flags });
  }

  #ownsPrototype(prototype: object | undefined): prototype is object {
    if (prototype === undefined) return false;
    const { class: classSyntax, isGenerator } = this.#node.syntax;
    if (classSyntax !== undefined || isGenerator) return true;
    return Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value === this.#fn;
  }

  #registerPrototype(prototype: object): void {
    const path = { parent: this.#node.path, label: 'prototype' };
    const shell = this.#builder.shell(path);
    const member: MemberNode = { ...shell, kind: 'member', owner: this.#node, key: 'prototype', role: 'value' };
    this.#builder.register(prototype, member);
    this.#node.prototypeMember = member;
    if (this.#node.syntax.class !== undefined) this.#register(member, prototype);
  }

  #register(owner: Node, object: object): void {
    for (const key of Reflect.ownKeys(object)) {
      const descriptor: Partial<Record<MemberNode['role'], unknown>> = Reflect.getOwnPropertyDescriptor(object, key) ?? {};
      for (const role of ['value', 'get', 'set'] as const) {
        const member = descriptor[role];
        if (!this.#isTextual(member) || this.#builder.known(member) !== undefined) continue;
        const path = { parent: owner.path, label: String(key) };
        const stored = typeof key === 'string' ? key : (this.#builder.value(key, path) as Node);
        this.#noteComputedKey(Function.prototype.toString.call(member), stored);
        const part: MemberNode = { ...this.#builder.shell(path), kind: 'member', owner, key: stored, role };
        this.#builder.register(member, part);
        if (isChanged(member)) this.#fillMember(part, member);
      }
    }
  }

  #fillMember(node: MemberNode, member: Function): void {
    this.#node.changedMembers.push(node);
    const skip = (key: string | symbol): boolean => usualKeys.has(key);
    this.#builder.later(() => {
      fillShell(this.#builder, node, member, { skip });
      node.prototype = undefined;
    });
  }

  /** A computed key is not evaluated again: its value is written in its place. */
  #noteComputedKey(text: string, key: string | Node): void {
    const computed = this.#node.syntax.class?.computedKeys ?? [];
    const found = computed.find((each) => each.text === text && !this.#node.computedKeys.has(each.start));
    if (found !== undefined) this.#node.computedKeys.set(found.start, key);
  }

  #isTextual(value: unknown): value is Function {
    const texts = this.#node.syntax.class?.memberTexts;
    return typeof value === 'function' && texts !== undefined && texts.has(Function.prototype.toString.call(value));
  }
}
