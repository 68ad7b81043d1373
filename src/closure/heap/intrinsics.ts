import { runInThisContext } from 'node:vm';

/** Returns the expression of a symbol that exists in every process, or undefined for one of the user's own. */
export function symbolExpression(symbol: symbol): string | undefined {
  const key = Symbol.keyFor(symbol);
  if (key !== undefined) return `Symbol.for(${JSON.stringify(key)})`;
  const name = symbol.description?.replace(/^Symbol\./, '') ?? '';
  return Reflect.get(Symbol, name) === symbol ? `Symbol.${name}` : undefined;
}

/** Whether a function has no visible source text. */
export const isNative = (fn: Function): boolean => /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(fn));

/** Globals that hold functions of the language or Node but aren't functions themselves. */
const namespaces = ['JSON', 'Math', 'Intl', 'Reflect', 'Atomics', 'WebAssembly', 'Temporal', 'console', 'process', 'Buffer'];
const constants = new Set(['undefined', 'NaN', 'Infinity', 'globalThis', 'global', 'GLOBAL', 'root']);

/** Intrinsics that no global names. */
const hidden = [
  'Object.getPrototypeOf(async () => {}).constructor',
  'Object.getPrototypeOf(async () => {})',
  'Object.getPrototypeOf(function* () {}).constructor',
  'Object.getPrototypeOf(function* () {})',
  'Object.getPrototypeOf(async function* () {}).constructor',
  'Object.getPrototypeOf(async function* () {})',
  'Object.getPrototypeOf(Int8Array)',
  'Object.getPrototypeOf([][Symbol.iterator]())',
  'Object.getPrototypeOf(new Map()[Symbol.iterator]())',
  'Object.getPrototypeOf(new Set()[Symbol.iterator]())',
  'Object.getPrototypeOf(""[Symbol.iterator]())',
  'Object.getPrototypeOf("".matchAll(/./g))',
  'Object.getPrototypeOf(new Intl.Segmenter().segment(""))',
  'Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()))',
  'Object.getPrototypeOf(Object.getPrototypeOf((async function* () {}).prototype))',
  // As of Node 22. Before, this is the prototype of array iterators again.
  'Object.getPrototypeOf(globalThis.Iterator?.from({ next() {} }) ?? [].values())',
  'Object.getPrototypeOf([].values().map?.((each) => each) ?? [].values())',
  'Object.getOwnPropertyDescriptor((function () { "use strict"; return arguments; })(), "callee").get',
];

/** Node's objects that are reachable through accessors. */
const objects = ['process.env', 'process.argv', 'process.execArgv', 'process.versions', 'process.release', 'process.features'];
/** Reading these prints a warning and may open a file. */
const storages = ['localStorage', 'sessionStorage'];
const lazyObjects = ['performance', 'crypto', 'crypto.subtle', 'navigator'];

/** What a name means if no scope of a function declares it. */
export type GlobalMeaning =
  /** Node or the language provides it in every process. */
  | { readonly kind: 'environment' }
  /** The user, or the REPL on the user's behalf, put it on `globalThis`. */
  | { readonly kind: 'user'; readonly value: unknown }
  | { readonly kind: 'undeclared' };

/** Finds values of the language and Node's globals by name. Covers every realm that tests may run in. */
export class Intrinsics {
  readonly #expressions = new Map<unknown, string>();
  readonly #realms: readonly object[] = [...new Set([globalThis as object, runInThisContext('globalThis') as object])];
  readonly #isNodes: (fn: Function) => boolean;
  #knowsLazy = false;

  /** `isNodes` tells whether a function with source text belongs to Node itself. */
  constructor(isNodes: (fn: Function) => boolean) {
    this.#isNodes = isNodes;
    for (const realm of this.#realms) {
      const isOwn = realm === (globalThis as object);
      this.#addRealm(realm, (text) => (isOwn ? new Function(`return ${text}`)() : runInThisContext(text)));
    }
    for (const expression of objects) this.#walk(new Function(`return ${expression}`)(), expression);
  }

  /** Returns the expression for this value in any process, for example `Array.prototype.push`. */
  find(value: unknown): string | undefined {
    return this.#expressions.get(value);
  }

  /** Indexes the globals that Node loads on first use, for a value of Node's that is found nowhere else. */
  learnLazy(): void {
    if (this.#knowsLazy) return;
    this.#knowsLazy = true;
    for (const realm of this.#realms) {
      for (const name of Object.getOwnPropertyNames(realm)) {
        const value: unknown = name.startsWith('webkit') || storages.includes(name) ? undefined : Reflect.get(realm, name);
        if (typeof value === 'function') this.#walk(value, name);
      }
    }
    for (const expression of lazyObjects) this.#walk(new Function(`return globalThis.${expression}`)(), expression);
  }

  /** Indexes the realm of a native function, such as that of another `vm` context. */
  learnRealm(fn: Function): void {
    const make: unknown = Reflect.getPrototypeOf(fn)?.constructor.constructor;
    if (typeof make !== 'function' || this.find(make) !== undefined || !isNative(make)) return;
    const realm = Reflect.apply(make, undefined, ['return globalThis'])() as object;
    this.#addRealm(realm, (text) => Reflect.apply(make, undefined, [`return ${text}`])());
  }

  meaning(name: string): GlobalMeaning {
    const realm = this.#realms.find((each) => Object.hasOwn(each, name));
    if (realm === undefined) return { kind: 'undeclared' };
    const { get } = Object.getOwnPropertyDescriptor(realm, name) ?? {};
    const value: unknown = Reflect.get(realm, name);
    // These belong to the REPL; no other process has them.
    if (name === 'require' || name === '_' || name === '_error') return { kind: 'user', value };
    if (constants.has(name) || this.find(value) === name) return { kind: 'environment' };
    // Node defines its larger globals as accessors that load on first use.
    const isLazy = get !== undefined && this.#isEnvironment(get) && process.getBuiltinModule?.(`node:${name}`) !== value;
    const isNodes = typeof value === 'function' && this.#isEnvironment(value);
    return isLazy || isNodes ? { kind: 'environment' } : { kind: 'user', value };
  }

  #isEnvironment(fn: Function): boolean {
    return isNative(fn) || this.#isNodes(fn);
  }

  #addRealm(realm: object, evaluate: (text: string) => unknown): void {
    this.#expressions.set(realm, 'globalThis');
    for (const name of Object.getOwnPropertyNames(realm)) {
      const { value } = Object.getOwnPropertyDescriptor(realm, name) ?? {};
      if (typeof value === 'function') this.#walk(value, name);
    }
    for (const name of namespaces) this.#walk(Reflect.get(realm, name), name);
    for (const expression of hidden) this.#walk(evaluate(expression), `(${expression})`);
  }

  #walk(value: unknown, expression: string, depth = 0): void {
    if ((typeof value !== 'function' && (typeof value !== 'object' || value === null)) || this.#expressions.has(value)) return;
    if (typeof value === 'function' && !this.#isEnvironment(value)) return;
    this.#expressions.set(value, expression);
    if (expression.startsWith('process') || depth > 3) return;
    for (const key of Reflect.ownKeys(value)) {
      const descriptor = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor;
      const name = typeof key === 'symbol' ? symbolExpression(key) : JSON.stringify(key);
      if (name === undefined || key === 'constructor') continue;
      // Neither the language nor Node uses such keys, but packages share state through them.
      if (typeof key === 'symbol' && Symbol.keyFor(key) !== undefined && typeof descriptor.value === 'object') continue;
      const member = typeof key === 'string' && /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${name}]`;
      this.#walk(descriptor.value, expression + member, depth + 1);
      const accessor = `Object.getOwnPropertyDescriptor(${expression}, ${name})`;
      this.#walk(descriptor.get, `${accessor}.get`, 4);
      this.#walk(descriptor.set, `${accessor}.set`, 4);
    }
  }
}
