import { types } from 'node:util';
import { runInThisContext, Script as VmScript } from 'node:vm';
import { InspectorSession, type RemoteObject, slotText } from './inspector-session.ts';
import type { Scope } from './scopes.ts';

export interface FunctionFacts {
  /** Undefined for functions without JavaScript source. */
  readonly scriptId: string | undefined;
  /** Zero-based position in the script where its parameters begin. */
  readonly location: { readonly line: number; readonly column: number };
  /** Innermost first. */
  readonly scopes: readonly Scope[];
  readonly bound: BoundFacts | undefined;
}

export interface BoundFacts {
  readonly target: Function;
  readonly boundThis: unknown;
  readonly boundArguments: readonly unknown[];
}

export interface PrivateFacts {
  readonly fields: readonly { readonly name: string; readonly value: unknown }[];
  /** Whether there are no private fields, methods or accessors. */
  readonly isEmpty: boolean;
}

export interface Script {
  readonly id: string;
  readonly url: string;
  readonly isModule: boolean;
  /** The URL of its source map, which may be a data URL. Empty if there is none. */
  readonly sourceMapUrl: string;
}

/** A script as reported by the debugger. */
interface Parsed {
  readonly scriptId: string;
  readonly url: string;
  readonly isModule?: boolean;
  readonly sourceMapURL?: string;
}

/** Scripts of the process by ID. A script never changes, and listing scripts takes milliseconds. */
const knownScripts = new Map<string, Script>();

const scopeTypes: Readonly<Record<string, Scope['type']>> = {
  Block: 'block',
  Closure: 'closure',
  Catch: 'catch',
  'With Block': 'with',
  Module: 'module',
  Script: 'script',
  Global: 'global',
};

/** An argument that withstands any destructuring, so that a function's body is reached without running user code. */
const anyArgument: object = new Proxy([], {
  get: (_target, key) => (key === Symbol.iterator ? endless : anyArgument),
  has: () => true,
});
function* endless(): Generator<object> {
  for (let count = 0; count < 64; count++) yield anyArgument;
}

const mostOpenings = 4;

interface Breakpoint {
  readonly breakpointId: string;
}

function callText(fn: Function, isGenerator: boolean): string {
  if (/^class\b/.test(Function.prototype.toString.call(fn))) return 'new fn(...args)';
  return `fn(...args)${isGenerator ? '.next()' : ''}`;
}

/** An invalid breakpoint condition would let the function run. */
function isExpression(text: string): boolean {
  try {
    new VmScript(`"use strict"; () => ${text}`);
    return true;
  } catch {
    return false;
  }
}

/**
 * Reads functions of the running process through V8's inspector, on the current thread and without opening a port. Only this
 * file and inspector-session.ts use the inspector protocol; see https://chromedevtools.github.io/devtools-protocol/v8/.
 */
export class HeapInspector implements Disposable {
  readonly #session = new InspectorSession();
  #isDebugging = false;
  #isListed = false;
  #openings = 0;
  /** Stops listening for new scripts, which the debugger reports while it is open. */
  #unlisten: (() => void) | undefined;

  /** All loaded scripts, as of the first access. */
  get scripts(): Iterable<Script> {
    if (!this.#isListed) this.#debugging(() => {});
    return knownScripts.values();
  }

  /** The scripts that are already known. Any script that was looked up is among them. */
  get listed(): Iterable<Script> {
    return knownScripts.values();
  }

  script(scriptId: string): Script | undefined {
    if (!knownScripts.has(scriptId)) this.#debugging(() => {});
    return knownScripts.get(scriptId);
  }

  source(scriptId: string): string {
    return this.#debugging(
      () => this.#session.post<{ scriptSource: string }>('Debugger.getScriptSource', { scriptId }).scriptSource,
    );
  }

  /** Returns the bytes of every compiled WebAssembly module. */
  wasmModules(): readonly Uint8Array<ArrayBuffer>[] {
    return this.#debugging(() => {
      const wasm = [...knownScripts.values()].filter(({ url }) => url.startsWith('wasm:'));
      return wasm.flatMap(({ id }) => {
        const { bytecode } = this.#session.post<{ bytecode?: string }>('Debugger.getScriptSource', { scriptId: id });
        return bytecode === undefined ? [] : [Uint8Array.from(Buffer.from(bytecode, 'base64'))];
      });
    });
  }

  facts(fn: Function): FunctionFacts {
    const properties = this.#internalProperties(fn);
    const location = properties.get('[[FunctionLocation]]')?.value as
      | { scriptId: string; lineNumber: number; columnNumber: number }
      | undefined;
    const scopes = properties.get('[[Scopes]]')?.objectId;
    const facts = {
      scriptId: location?.scriptId,
      location: { line: location?.lineNumber ?? 0, column: location?.columnNumber ?? 0 },
      scopes: scopes === undefined || location === undefined ? [] : this.#scopes(scopes),
      bound: properties.has('[[TargetFunction]]') ? this.#bound(properties) : undefined,
    };
    this.#session.release();
    return facts;
  }

  /** Returns the private fields of an object, those of the base class first, and whether it has any private members at all. */
  privateState(value: object): PrivateFacts {
    const { privateProperties = [], internalProperties = [] } = this.#session.properties(this.#session.remote(value));
    const fields = privateProperties.flatMap(({ name, value: remote }) =>
      remote === undefined ? [] : [{ name, value: this.#session.actual(remote) }],
    );
    const hasMethods = internalProperties.some(({ name }) => name === '[[PrivateMethods]]');
    this.#session.release();
    return { fields, isEmpty: privateProperties.length === 0 && !hasMethods };
  }

  /** Returns the entries of a WeakMap, or the keys of a WeakSet. */
  weakEntries(value: object): readonly { readonly key: object; readonly value: unknown }[] {
    const entries = this.#internalProperties(value).get('[[Entries]]')?.objectId;
    if (entries === undefined) return [];
    const listed = this.#session.real(entries) as ArrayLike<{ key?: object; value: unknown }>;
    this.#session.release();
    return Array.from(listed, ({ key, value: held }) => ({ key: key ?? (held as object), value: held }));
  }

  /** Returns the names of an object's properties other than its elements, which may be too many to list. */
  namedKeys(value: object): readonly string[] {
    const objectId = this.#session.remote(value);
    const params = { objectId, ownProperties: true, nonIndexedPropertiesOnly: true };
    const { result } = this.#session.post<{ result: readonly { name: string; symbol?: unknown }[] }>(
      'Runtime.getProperties',
      params,
    );
    this.#session.release();
    return result.filter(({ name, symbol }) => name !== '__proto__' && symbol === undefined).map(({ name }) => name);
  }

  /**
   * Returns every heap object that inherits from a prototype and is safe to inspect. In Node 26, any access to web storage
   * without a database ends the process. Takes as long as a garbage collection.
   */
  heirsOf(prototype: object): readonly object[] {
    const prototypeObjectId = this.#session.remote(prototype);
    const { objects } = this.#session.post<{ objects: RemoteObject }>('Runtime.queryObjects', { prototypeObjectId });
    const found = this.#session.actual(objects) as object[];
    this.#session.post('Runtime.releaseObject', { objectId: objects.objectId });
    const storage = (runInThisContext('globalThis.Storage') as { prototype: object } | undefined)?.prototype;
    return found.filter((each) => each !== storage && (types.isProxy(each) || Reflect.getPrototypeOf(each) !== storage));
  }

  /**
   * Evaluates an expression in the scope of a function without running the function. The function is called with a breakpoint
   * on its first statement; the breakpoint's condition evaluates the expression and terminates the call. The condition is never
   * true, so nothing pauses, even with a debugger attached. Returns undefined if the body can't be reached (a class without a
   * constructor) or the expression throws.
   */
  evaluateInside(fn: Function, expression: string): { readonly value: unknown } | undefined {
    if (!isExpression(expression)) return undefined;
    this.#debug();
    let found: { value: unknown } | undefined;
    this.#session.slot.extra = (evaluate: () => unknown): false => {
      try {
        found = { value: evaluate() };
      } catch {}
      // Takes effect when the breakpoint's condition returns, before the first statement runs.
      this.#session.post('Runtime.terminateExecution');
      return false;
    };
    const isGenerator = types.isGeneratorFunction(fn);
    const condition = `${slotText}.extra(() => ${expression})`;
    const breakpoint = isGenerator ? this.#breakInBody(fn, condition) : this.#breakOnCall(fn, condition);
    if (breakpoint === undefined) return undefined;
    try {
      this.#call(fn, isGenerator);
    } finally {
      this.#session.post('Debugger.removeBreakpoint', breakpoint);
    }
    return found;
  }

  [Symbol.dispose](): void {
    this.#session[Symbol.dispose]();
  }

  /**
   * Runs `work` with the debugger open; opening it lists all scripts. It is closed afterwards, because an open debugger also
   * keeps this file's own expressions in memory. After many openings it is left open, since that becomes cheaper.
   */
  #debugging<T>(work: () => T): T {
    const wasOpen = this.#isDebugging;
    this.#debug();
    try {
      return work();
    } finally {
      const isClosed = !wasOpen && ++this.#openings < mostOpenings;
      if (isClosed) this.#close();
      this.#isDebugging = !isClosed;
    }
  }

  #close(): void {
    this.#session.post('Debugger.disable');
    this.#unlisten?.();
    this.#unlisten = undefined;
  }

  #debug(): void {
    if (this.#isDebugging) return;
    this.#isDebugging = true;
    this.#isListed = true;
    this.#unlisten ??= this.#session.on<Parsed>(
      'Debugger.scriptParsed',
      ({ scriptId, url, isModule = false, sourceMapURL = '' }) => {
        knownScripts.set(scriptId, { id: scriptId, url, isModule, sourceMapUrl: sourceMapURL });
      },
    );
    this.#session.post('Debugger.enable');
  }

  #breakOnCall(fn: Function, condition: string): Breakpoint {
    return this.#session.post('Debugger.setBreakpointOnFunctionCall', { objectId: this.#session.remote(fn), condition });
  }

  /** Only the first `next()` of a generator reaches its body. */
  #breakInBody(fn: Function, condition: string): Breakpoint | undefined {
    const { value: start } = this.#internalProperties(fn).get('[[FunctionLocation]]') ?? {};
    const { locations } = this.#session.post<{ locations: readonly object[] }>('Debugger.getPossibleBreakpoints', {
      start,
      restrictToFunction: true,
    });
    const [location] = locations;
    return location === undefined ? undefined : this.#session.post('Debugger.setBreakpoint', { location, condition });
  }

  /** Calls a function that a breakpoint terminates. The termination is reported as a failed command. */
  #call(fn: Function, isGenerator: boolean): void {
    this.#session.slot.value = { fn, args: new Array(16).fill(anyArgument) };
    this.#session.attempt('Runtime.evaluate', {
      expression: `{ const { fn, args } = ${slotText}.value; ${callText(fn, isGenerator)}; }`,
      silent: true,
    });
  }

  #scopes(scopesId: string): Scope[] {
    const listed = this.#session.real(scopesId) as ArrayLike<{ description: string; object: object }>;
    return Array.from(listed, ({ description, object }) => {
      const [word = ''] = description.split(' (');
      return { type: scopeTypes[word] ?? 'other', description, variables: object };
    });
  }

  #bound(properties: ReadonlyMap<string, RemoteObject>): BoundFacts {
    const real = (name: string): unknown => {
      return this.#session.actual(properties.get(name) ?? {});
    };
    return {
      target: real('[[TargetFunction]]') as Function,
      boundThis: real('[[BoundThis]]'),
      boundArguments: Array.from(real('[[BoundArgs]]') as ArrayLike<unknown>),
    };
  }

  #internalProperties(value: object): Map<string, RemoteObject> {
    const { internalProperties = [] } = this.#session.properties(this.#session.remote(value));
    return new Map(internalProperties.map(({ name, value: remote = {} }) => [name, remote]));
  }
}
