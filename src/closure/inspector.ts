import { Session } from 'node:inspector';
import { runInThisContext } from 'node:vm';
import { ClipperError } from '../errors.ts';

/** One scope of a function: the variables that V8 keeps for closures, with their values at the time of reading. */
export interface Scope {
  readonly type: 'block' | 'closure' | 'catch' | 'with' | 'module' | 'script' | 'global' | 'other';
  /** V8's words for it, for example `Closure (makeCounter)`. */
  readonly description: string;
  /** A copy of the variables; a variable that can't be read is an accessor that throws. */
  readonly variables: object;
}

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

export interface Script {
  readonly id: string;
  readonly url: string;
  readonly isModule: boolean;
}

interface RemoteObject {
  readonly objectId?: string;
  readonly value?: unknown;
}

interface InternalProperty {
  readonly name: string;
  readonly value?: RemoteObject;
}

interface Properties {
  readonly internalProperties?: readonly InternalProperty[];
  readonly privateProperties?: readonly { name: string }[];
}

/** Scripts of the process by id; they never change, and to have them listed costs milliseconds. */
const knownScripts = new Map<string, Script>();

/** Handles of what was looked at, which would keep it in memory. */
const objectGroup = 'clipper-ts';

const slotKey = 'clipper-ts.inspected';
const slotText = `globalThis[Symbol.for(${JSON.stringify(slotKey)})]`;

/** What passes between us and the inspector, reachable from every realm. */
interface Slot {
  value: unknown;
  extra?: unknown;
}

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

/**
 * Reads functions of the running process through V8's inspector, in this thread and without opening a port. The single
 * file that knows the inspector; see https://chromedevtools.github.io/devtools-protocol/v8/.
 */
export class HeapInspector implements Disposable {
  readonly #session = new Session();
  #isDebugging = false;
  readonly #slot: Slot = { value: undefined };
  // Under jest this code runs in a second realm, while the inspector evaluates in the main one.
  readonly #realms: readonly object[] = [globalThis, runInThisContext('globalThis') as object];

  constructor() {
    for (const realm of this.#realms) {
      Object.defineProperty(realm, Symbol.for(slotKey), { value: this.#slot, configurable: true, writable: true });
    }
    this.#session.connect();
  }

  /** Every script that is loaded. */
  get scripts(): Iterable<Script> {
    this.#debugging(() => {});
    return knownScripts.values();
  }

  script(scriptId: string): Script | undefined {
    if (!knownScripts.has(scriptId)) this.#debugging(() => {});
    return knownScripts.get(scriptId);
  }

  source(scriptId: string): string {
    return this.#debugging(() => this.#post<{ scriptSource: string }>('Debugger.getScriptSource', { scriptId }).scriptSource);
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
    this.#post('Runtime.releaseObjectGroup', { objectGroup });
    return facts;
  }

  /** Names of the private fields, methods and accessors that an object carries. */
  privateNames(value: object): readonly string[] {
    const { privateProperties = [] } = this.#properties(this.#remote(value));
    return privateProperties.map(({ name }) => name);
  }

  /**
   * Evaluates an expression in the scope of a function, without running the function: it is called with a breakpoint on
   * its first statement and ended there. Undefined where its body can't be reached (a generator, a class).
   */
  evaluateInside(fn: Function, expression: string): { readonly value: unknown } | undefined {
    this.#debug();
    const breakpoint = this.#post<{ breakpointId: string }>('Debugger.setBreakpointOnFunctionCall', {
      objectId: this.#remote(fn),
    });
    let found: { value: unknown } | undefined;
    const paused = ({ params }: { params: { callFrames: readonly { callFrameId: string }[] } }): void => {
      this.#slot.extra = undefined;
      const { exceptionDetails } = this.#post<{ exceptionDetails?: unknown }>('Debugger.evaluateOnCallFrame', {
        callFrameId: params.callFrames[0]?.callFrameId,
        expression: `${slotText}.extra = ${expression}, 0`,
      });
      if (exceptionDetails === undefined) found = { value: this.#slot.extra };
      this.#post('Runtime.terminateExecution');
    };
    this.#session.once('Debugger.paused', paused);
    try {
      this.#call(fn);
    } finally {
      this.#session.off('Debugger.paused', paused);
      this.#post('Debugger.removeBreakpoint', breakpoint);
    }
    return found;
  }

  [Symbol.dispose](): void {
    this.#session.disconnect();
    for (const realm of this.#realms) Reflect.deleteProperty(realm, Symbol.for(slotKey));
  }

  /** The debugger lists scripts as it opens. It is closed again, for while it is open our own expressions are kept too. */
  #debugging<T>(work: () => T): T {
    const wasOpen = this.#isDebugging;
    this.#debug();
    try {
      return work();
    } finally {
      if (!wasOpen) this.#post('Debugger.disable');
      this.#isDebugging = wasOpen;
    }
  }

  #debug(): void {
    if (this.#isDebugging) return;
    this.#isDebugging = true;
    this.#session.removeAllListeners('Debugger.scriptParsed');
    this.#session.on('Debugger.scriptParsed', ({ params: { scriptId, url, isModule = false } }) => {
      knownScripts.set(scriptId, { id: scriptId, url, isModule });
    });
    this.#post('Debugger.enable');
  }

  /** Calls a function that a breakpoint will end; the termination is reported as a failed command. */
  #call(fn: Function): void {
    this.#slot.value = fn;
    this.#slot.extra = new Array(16).fill(anyArgument);
    this.#session.post('Runtime.evaluate', {
      expression: `{ const slot = ${slotText}; (0, slot.value)(...slot.extra); }`,
      silent: true,
    });
  }

  #scopes(scopesId: string): Scope[] {
    const listed = this.#real(scopesId) as ArrayLike<{ description: string; object: object }>;
    return Array.from(listed, ({ description, object }) => {
      const [word = ''] = description.split(' (');
      return { type: scopeTypes[word] ?? 'other', description, variables: object };
    });
  }

  #bound(properties: ReadonlyMap<string, RemoteObject>): BoundFacts {
    const real = (name: string): unknown => {
      const { objectId, value } = properties.get(name) ?? {};
      return objectId === undefined ? value : this.#real(objectId);
    };
    return {
      target: real('[[TargetFunction]]') as Function,
      boundThis: real('[[BoundThis]]'),
      boundArguments: Array.from(real('[[BoundArgs]]') as ArrayLike<unknown>),
    };
  }

  #internalProperties(value: object): Map<string, RemoteObject> {
    const { internalProperties = [] } = this.#properties(this.#remote(value));
    return new Map(internalProperties.map(({ name, value: remote = {} }) => [name, remote]));
  }

  #properties(objectId: string): Properties {
    return this.#post<Properties>('Runtime.getProperties', { objectId, ownProperties: true });
  }

  /** The inspector's handle of a value. */
  #remote(value: unknown): string {
    this.#slot.value = value;
    const { result } = this.#post<{ result: RemoteObject }>('Runtime.evaluate', {
      expression: `${slotText}.value`,
      objectGroup,
    });
    return result.objectId ?? '';
  }

  /** The value behind an inspector's handle. */
  #real(objectId: string): unknown {
    this.#post('Runtime.callFunctionOn', { objectId, functionDeclaration: `function () { ${slotText}.extra = this }` });
    return this.#slot.extra;
  }

  /** In its own thread a session answers before `post` returns. */
  #post<T>(method: string, params: object = {}): T {
    let answer: unknown;
    let failure: Error | null = null;
    this.#session.post(method, params, (error, result) => {
      failure = error;
      answer = result;
    });
    if (failure !== null) {
      throw new ClipperError('E_INTERNAL', `V8's inspector refused ${method}: ${JSON.stringify(failure)}`, { cause: failure });
    }
    return answer as T;
  }
}
