import { types } from 'node:util';
import { runInThisContext, Script as VmScript } from 'node:vm';
import { InspectorSession, type RemoteObject, slotText } from './inspector-session.ts';
import type { Scope } from './scopes.ts';

export interface FunctionFacts {
  /** Undefined for functions without JavaScript source. */
  readonly scriptId: string | undefined;
  /** Where in the script its parameters begin; 0 is the first line and column. */
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
  /** Whether there are neither fields nor methods nor accessors. */
  readonly isEmpty: boolean;
}

export interface Script {
  readonly id: string;
  readonly url: string;
  readonly isModule: boolean;
  /** The URL of its source map, which may contain the map; empty if there is none. */
  readonly sourceMapUrl: string;
}

/** A script, as the debugger tells of it. */
interface Parsed {
  readonly scriptId: string;
  readonly url: string;
  readonly isModule?: boolean;
  readonly sourceMapURL?: string;
}

/** Scripts of the process by id; they never change, and to have them listed costs milliseconds. */
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

/** An argument that survives any destructuring, so that a function's body is reached without running the user's code. */
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

/** A condition that isn't well formed would let the function run. */
function isExpression(text: string): boolean {
  try {
    new VmScript(`"use strict"; () => ${text}`);
    return true;
  } catch {
    return false;
  }
}

/**
 * Reads functions of the running process through V8's inspector, in this thread and without opening a port. With
 * inspector-session.ts the only file that knows it; see https://chromedevtools.github.io/devtools-protocol/v8/.
 */
export class HeapInspector implements Disposable {
  readonly #session = new InspectorSession();
  #isDebugging = false;
  #isListed = false;
  #openings = 0;
  /** While the debugger is open it tells of scripts as they are loaded. */
  #unlisten: (() => void) | undefined;

  /** Every script that is loaded, as of the first time that this is asked. */
  get scripts(): Iterable<Script> {
    if (!this.#isListed) this.#debugging(() => {});
    return knownScripts.values();
  }

  /** The scripts that were listed last, which a script that was looked up since is one of. */
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

  /** The bytes of every WebAssembly module that was compiled. */
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

  /** The private fields that an object carries, those of its base class first, and whether it has private members at all. */
  privateState(value: object): PrivateFacts {
    const { privateProperties = [], internalProperties = [] } = this.#session.properties(this.#session.remote(value));
    const fields = privateProperties.flatMap(({ name, value: remote }) =>
      remote === undefined ? [] : [{ name, value: this.#session.actual(remote) }],
    );
    const hasMethods = internalProperties.some(({ name }) => name === '[[PrivateMethods]]');
    this.#session.release();
    return { fields, isEmpty: privateProperties.length === 0 && !hasMethods };
  }

  /** The entries of a WeakMap, or the keys of a WeakSet. */
  weakEntries(value: object): readonly { readonly key: object; readonly value: unknown }[] {
    const entries = this.#internalProperties(value).get('[[Entries]]')?.objectId;
    if (entries === undefined) return [];
    const listed = this.#session.real(entries) as ArrayLike<{ key?: object; value: unknown }>;
    this.#session.release();
    return Array.from(listed, ({ key, value: held }) => ({ key: key ?? (held as object), value: held }));
  }

  /** The names of an object's properties that are no elements, which may be too many to list. */
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
   * Every object of the heap that inherits from a prototype, and is safe to look at: web storage without a database ends
   * the process at any look, in Node 26. Takes as long as a garbage collection.
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
   * Evaluates an expression in the scope of a function, without running the function: it is called with a breakpoint on
   * its first statement, whose condition evaluates the expression and ends the call. The condition never holds, so that
   * nothing pauses, also while a debugger is attached. Undefined if its body can't be reached (a class without a
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
      // Takes effect as the breakpoint is left, before the first statement.
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
   * The debugger lists scripts as it opens. It is closed again, because while it is open our own expressions are kept too, until
   * it was opened so often that it costs less to leave it open.
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

  /** A generator's body is reached by its first step only. */
  #breakInBody(fn: Function, condition: string): Breakpoint | undefined {
    const { value: start } = this.#internalProperties(fn).get('[[FunctionLocation]]') ?? {};
    const { locations } = this.#session.post<{ locations: readonly object[] }>('Debugger.getPossibleBreakpoints', {
      start,
      restrictToFunction: true,
    });
    const [location] = locations;
    return location === undefined ? undefined : this.#session.post('Debugger.setBreakpoint', { location, condition });
  }

  /** Calls a function that a breakpoint will end; the termination is reported as a failed command. */
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
