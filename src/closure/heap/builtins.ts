import { builtinModules } from 'node:module';
import { promisify, types } from 'node:util';
import { runInThisContext } from 'node:vm';

/** A value as a member of one of Node's builtin modules. */
export interface BuiltinMember {
  /** Includes the `node:` prefix. */
  readonly name: string;
  readonly member: readonly string[];
}

/** The key for `util.promisify.custom`, under which some functions store their promisified form. */
const promisifiedKey = '@@nodejs.util.promisify.custom';

/** Modules with members that belong to this process, unless they are functions. */
const live: Readonly<Record<string, (key: string) => boolean>> = {
  'node:process': () => true,
  'node:worker_threads': (key) => key === 'workerData',
};

/** Members that their module creates on first access. */
const lazy: Readonly<Record<string, string>> = { 'node:async_hooks': 'AsyncLocalStorage' };

/** Members of modules that are objects with functions of their own. */
const nested = new Set(['posix', 'win32', 'promises', 'strict', 'types', 'webcrypto']);

const isOpen = (member: readonly string[]): boolean => member.at(-1) === 'prototype' || nested.has(member.at(-1) ?? '');

/** Finds functions and objects of Node's builtin modules by identity. Covers the modules that the process has loaded. */
export class Builtins {
  readonly #members = new Map<unknown, BuiltinMember>();
  #loadedCount = 0;
  #deepCount = 0;

  find(value: unknown): BuiltinMember | undefined {
    return this.#members.get(value);
  }

  /** Returns the builtin that a specifier names, with its prefix. */
  named(specifier: string): string | undefined {
    const name = specifier.replace(/^node:/, '');
    return builtinModules.includes(name) ? `node:${name}` : undefined;
  }

  /** Indexes the builtin modules that were loaded since the last call. */
  refresh(): void {
    const names = this.#loaded();
    if (names.length === this.#loadedCount) return;
    this.#loadedCount = names.length;
    for (const name of names) this.#add(name, (member) => nested.has(member.at(-1) ?? ''));
  }

  /** Also indexes members of members, for a value of Node's that is found nowhere else. */
  learnDeep(): void {
    const names = this.#loaded();
    if (names.length === this.#deepCount) return;
    this.#deepCount = names.length;
    // Other objects may be tables that hold the user's modules.
    for (const name of names)
      this.#add(name, (member, value) => member.length < 3 && (typeof value === 'function' || isOpen(member)));
  }

  #loaded(): readonly string[] {
    // Under jest, `process` is a copy that was made earlier.
    const { moduleLoadList: loaded } = runInThisContext('process') as { moduleLoadList: readonly string[] };
    const names = loaded.map((entry) => entry.replace(/^NativeModule /, ''));
    return names.filter((name) => builtinModules.includes(name) && !name.startsWith('_')).map((name) => `node:${name}`);
  }

  #add(name: string, isEntered: (member: readonly string[], value: unknown) => boolean): void {
    const pending: { value: unknown; member: readonly string[] }[] = [{ value: process.getBuiltinModule(name), member: [] }];
    const entered = new Set<unknown>();
    for (let each = pending.shift(); each !== undefined; each = pending.shift()) {
      const { value, member } = each;
      this.#set(value, { name, member });
      const isObject = typeof value === 'function' || (typeof value === 'object' && value !== null);
      if (!isObject || entered.has(value) || types.isProxy(value) || !(member.length === 0 || isEntered(member, value))) {
        if (typeof value === 'function') this.#set(value.prototype, { name, member: [...member, 'prototype'] });
        continue;
      }
      entered.add(value);
      for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
        const isLive = live[name]?.(key) === true && typeof descriptor.value !== 'function';
        const held: unknown = lazy[name] === key ? Reflect.get(value, key) : descriptor.value;
        if (key !== 'constructor' && !isLive) pending.push({ value: held, member: [...member, key] });
      }
      const promisified: unknown = Object.getOwnPropertyDescriptor(value, promisify.custom)?.value;
      this.#set(promisified, { name, member: [...member, promisifiedKey] });
    }
  }

  #set(value: unknown, member: BuiltinMember): void {
    const isObject = typeof value === 'function' || (typeof value === 'object' && value !== null);
    const isSymbol = typeof value === 'symbol' && Symbol.keyFor(value) === undefined;
    if ((isObject || isSymbol) && !this.#members.has(value)) this.#members.set(value, member);
  }
}
