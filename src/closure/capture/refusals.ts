import { types } from 'node:util';
import type { Refusal } from '../graph/problem.ts';

const inSetup = 'open or create it in `setup`, which runs in the replica and whose result is passed to the function';

/** Node classes whose instances hold resources of this process, by module. Only loaded modules are checked. */
const liveClasses: ReadonlyArray<readonly [module: string, names: readonly string[]]> = [
  ['node:net', ['Socket', 'Server', 'BlockList']],
  ['node:tls', ['TLSSocket', 'Server']],
  ['node:http', ['Server', 'ClientRequest', 'IncomingMessage', 'ServerResponse', 'Agent']],
  ['node:https', ['Server', 'Agent']],
  ['node:dgram', ['Socket']],
  ['node:child_process', ['ChildProcess']],
  ['node:worker_threads', ['Worker', 'MessagePort', 'MessageChannel', 'BroadcastChannel']],
  ['node:fs', ['ReadStream', 'WriteStream', 'FSWatcher', 'Dir']],
  ['node:stream', ['Readable', 'Writable', 'Duplex', 'Transform', 'PassThrough']],
  ['node:crypto', ['Hash', 'Hmac', 'Sign', 'Verify', 'KeyObject', 'X509Certificate', 'DiffieHellman', 'ECDH']],
  ['node:async_hooks', ['AsyncLocalStorage', 'AsyncResource']],
  ['node:readline', ['Interface']],
  [
    'node:zlib',
    ['Gzip', 'Gunzip', 'Deflate', 'Inflate', 'DeflateRaw', 'InflateRaw', 'Unzip', 'BrotliCompress', 'BrotliDecompress'],
  ],
];

/** Like `instanceof`, but doesn't run the handler of a Proxy on the prototype chain. */
function isInstance(value: unknown, prototype: object): boolean {
  for (let each = value as object | null; each !== null && !types.isProxy(each); each = Reflect.getPrototypeOf(each)) {
    if (each === prototype) return true;
  }
  return false;
}

const keyObject = (): object => process.getBuiltinModule('node:crypto').KeyObject.prototype;

const byType: ReadonlyArray<readonly [test: (value: unknown) => boolean, what: string, fix: string]> = [
  [types.isProxy, 'a Proxy', 'capture the object behind it or, if a library made it, create it in `setup`'],
  [types.isPromise, 'a promise', 'await it before the deploy and capture its result'],
  [types.isWeakMap, 'a WeakMap', 'its entries can not be listed; use a Map'],
  [types.isWeakSet, 'a WeakSet', 'its entries can not be listed; use a Set'],
  [(value) => isInstance(value, WeakRef.prototype), 'a WeakRef', 'capture the object that it refers to'],
  [types.isGeneratorObject, 'a generator that has started', 'call the generator function inside the deployed function'],
  [types.isSharedArrayBuffer, 'a SharedArrayBuffer', 'its memory is shared with this process; copy it into an ArrayBuffer'],
  [(value) => isInstance(value, FinalizationRegistry.prototype), 'a FinalizationRegistry', 'register in `setup`'],
  [types.isExternal, 'a native pointer', inSetup],
  [(value) => isInstance(value, keyObject()), 'a KeyObject', 'read the key in `setup`'],
];

/** Refuses a value whose kind is bound to this process. */
export function refusalByKind(value: object): Refusal | undefined {
  const found = byType.find(([test]) => test(value));
  return found === undefined ? undefined : { what: found[1], fix: found[2] };
}

let liveNames: Map<object, string> | undefined;

/** Refuses a value whose class is one of Node's that hold handles. Call it with each prototype on the value's chain. */
export function refusalByClass(prototype: object): Refusal | undefined {
  liveNames ??= listLiveClasses();
  const name = liveNames.get(prototype);
  return name === undefined ? undefined : { what: name, fix: inSetup };
}

function listLiveClasses(): Map<object, string> {
  const names = new Map<object, string>();
  for (const [module, classes] of liveClasses) {
    const exports = process.getBuiltinModule(module) as Record<string, { prototype?: object } | undefined>;
    for (const name of classes) {
      const prototype = exports[name]?.prototype;
      if (prototype !== undefined && !names.has(prototype)) names.set(prototype, `${name} of ${module}`);
    }
  }
  return names;
}

/** Returns the expression of a standard stream, which every process has, or undefined for any other object. */
export function standardStream(value: object): string | undefined {
  const fd: unknown = Object.getOwnPropertyDescriptor(value, 'fd')?.value;
  if (fd === 1 && value === process.stdout) return 'process.stdout';
  if (fd === 2 && value === process.stderr) return 'process.stderr';
  return fd === 0 && value === process.stdin ? 'process.stdin' : undefined;
}

/** For an instance whose state can't be read from outside. */
export const hiddenState = (what: string): Refusal => ({
  what: `${what}, whose state can't be read from outside`,
  fix: inSetup,
});

/** For a program with packages bundled into it. Packages travel by reference only from node_modules. */
export const keptExternal = (program: string, fix: string): string =>
  `keep packages external when you bundle ${program} (esbuild: --packages=external; Rollup and Vite: \`external\`), ` +
  `for in there they can't be told from your own code; if this is your own, ${fix}`;

/** For an instance that holds only addresses on the JavaScript side. */
export const heldInHeap = (what: string): Refusal => ({
  what: `${what}, whose state is in the memory of WebAssembly or asm.js of its package`,
  fix: inSetup,
});

/** Refusals for what a function's text needs and the process can't provide. */
export const refusalsOfText = {
  super: {
    what: 'a function that uses `super`, and the object that it was written in is gone',
    fix: 'capture that object and call its method',
  },
  unreadable: (text: string): Refusal => ({
    what: `a function whose text can't be read as JavaScript: ${JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)}`,
    fix: 'call it by its object inside the function, or make it in `setup`',
  }),
  newTarget: {
    what: "an arrow function that uses the `new.target` of a function around it, which can't be read",
    fix: 'keep it in a variable and use that',
  },
  privateNames: (names: readonly string[]): Refusal => ({
    what: `a function that uses ${names.map((name) => `#${name}`).join(', ')} apart from the class that declares it`,
    fix: 'capture an object of the class, or use a public member',
  }),
  ourselves: {
    what: 'a part of clipper-ts, which deploys and stays in this process',
    fix: 'call it where you deploy, not in what is deployed: move a method that deploys out of its class, and query another model with `fetch`',
  },
  fieldKey: (name: string): Refusal => ({
    what: `a class whose field has the computed key [${name}], of which nothing is left in memory`,
    fix: 'set the field in the constructor',
  }),
} as const;
