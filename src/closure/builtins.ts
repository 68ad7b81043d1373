import { builtinModules } from 'node:module';

/** A value as a member of one of Node's builtin modules. */
export interface BuiltinMember {
  /** With its `node:` prefix. */
  readonly name: string;
  readonly member: readonly string[];
}

/** Modules with members that are objects full of functions of their own. */
const nested = new Set(['posix', 'win32', 'promises', 'strict', 'types', 'webcrypto']);

/** Finds functions and objects of Node's builtin modules by identity, in those modules that the process has loaded. */
export class Builtins {
  readonly #members = new Map<unknown, BuiltinMember>();

  #loadedCount = 0;

  find(value: unknown): BuiltinMember | undefined {
    return this.#members.get(value);
  }

  /** The builtin that a specifier names, with its prefix. */
  named(specifier: string): string | undefined {
    const name = specifier.replace(/^node:/, '');
    return builtinModules.includes(name) ? `node:${name}` : undefined;
  }

  /** Takes in what the process has loaded since the last time. */
  refresh(): void {
    const loaded = (process as unknown as { moduleLoadList: readonly string[] }).moduleLoadList;
    if (loaded.length === this.#loadedCount) return;
    this.#loadedCount = loaded.length;
    for (const entry of loaded) {
      const name = entry.replace(/^NativeModule /, '');
      if (builtinModules.includes(name) && !name.startsWith('_')) this.#add(`node:${name}`);
    }
  }

  #add(name: string): void {
    const exports: unknown = process.getBuiltinModule(name);
    this.#set(exports, { name, member: [] });
    for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(exports as object))) {
      // What `process` holds beside functions is this process's.
      if (name === 'node:process' && typeof value !== 'function') continue;
      this.#set(value, { name, member: [key] });
      if (typeof value === 'function') this.#set(value.prototype, { name, member: [key, 'prototype'] });
      if (!nested.has(key) || typeof value !== 'object') continue;
      for (const [inner, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(value as object))) {
        this.#set(descriptor.value, { name, member: [key, inner] });
      }
    }
  }

  #set(value: unknown, member: BuiltinMember): void {
    const isObject = typeof value === 'function' || (typeof value === 'object' && value !== null);
    if (isObject && !this.#members.has(value)) this.#members.set(value, member);
  }
}
