import { types } from 'node:util';
import type { FunctionSyntax } from './syntax.ts';

/** Why a value can't travel, and what to do instead. */
export interface Refusal {
  readonly what: string;
  readonly fix: string;
}

const inSetup = 'open or create it in `setup`, which runs in the replica and whose result is passed to the function';

/** Classes of Node whose instances hold something of this process. By module, where the process has loaded it. */
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
];

const byType: ReadonlyArray<readonly [test: (value: unknown) => boolean, what: string, fix: string]> = [
  [types.isProxy, 'a Proxy', 'capture the object behind it'],
  [types.isPromise, 'a promise', 'await it before the deploy and capture its result'],
  [types.isWeakMap, 'a WeakMap', 'its entries can not be listed; use a Map'],
  [types.isWeakSet, 'a WeakSet', 'its entries can not be listed; use a Set'],
  [(value) => value instanceof WeakRef, 'a WeakRef', 'capture the object that it refers to'],
  [types.isGeneratorObject, 'a generator that has started', 'call the generator function inside the deployed function'],
  [types.isSharedArrayBuffer, 'a SharedArrayBuffer', 'its memory is shared with this process; copy it into an ArrayBuffer'],
  [types.isExternal, 'a native pointer', inSetup],
  [types.isKeyObject, 'a KeyObject', 'read the key in `setup`'],
];

/** Whether a value is of a kind that is bound to this process. */
export function refusalByKind(value: object): Refusal | undefined {
  const found = byType.find(([test]) => test(value));
  return found === undefined ? undefined : { what: found[1], fix: found[2] };
}

let liveNames: Map<object, string> | undefined;

/** Whether a value's class is one of Node's that hold handles. `prototype` is any on the value's chain. */
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

/** For an instance whose state can't be read from outside. */
export const hiddenState = (what: string): Refusal => ({
  what: `${what}, whose state can't be read from outside`,
  fix: inSetup,
});

/** What a function's text needs that the replica can't give it. `isKnown`: whether a name has a value there. */
export function* refusalsBySyntax(syntax: FunctionSyntax, isKnown: (name: string) => boolean): Generator<Refusal> {
  const { sloppySyntax, usesEval, usesOuterSuper, outerPrivateNames } = syntax;
  if (sloppySyntax !== undefined) {
    const what = `a function in sloppy mode with syntax that strict code doesn't have: ${sloppySyntax}`;
    yield { what, fix: 'write it as strict code would' };
  }
  if (usesEval) {
    yield { what: 'a function that calls `eval`, which may use any variable', fix: 'write what it evaluates as code' };
  }
  if (usesOuterSuper) {
    yield { what: 'a function that uses `super` outside its class', fix: 'capture the object and call its method' };
  }
  for (const name of outerPrivateNames) {
    const what = `a function that uses #${name} apart from the class that declares it`;
    yield { what, fix: 'capture an object of the class, or use a public member' };
  }
  if (syntax.class?.hasPrivateStatics === true) {
    yield { what: 'a class with private static fields', fix: 'keep them in variables, or make them public' };
  }
  for (const name of syntax.class?.keyNames ?? []) {
    const what = `a class whose field has the computed key [${name}], of which nothing is left in memory`;
    if (!isKnown(name)) yield { what, fix: 'set the field in the constructor' };
  }
}
