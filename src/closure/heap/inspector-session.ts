import type { Session } from 'node:inspector';
import { runInThisContext } from 'node:vm';
import { ClipperError, messageOf } from '../../errors.ts';
import { checkRuntime, unsupported } from '../../util/runtime.ts';

export interface RemoteObject {
  readonly objectId?: string;
  readonly value?: unknown;
  /** A number or bigint that JSON can't represent. */
  readonly unserializableValue?: string;
}

interface InternalProperty {
  readonly name: string;
  readonly value?: RemoteObject;
}

export interface Properties {
  readonly internalProperties?: readonly InternalProperty[];
  readonly privateProperties?: readonly { readonly name: string; readonly value?: RemoteObject }[];
}

/** The group of all remote handles. Handles keep their objects in memory until the group is released. */
const objectGroup = 'clipper-ts';

const slotKey = 'clipper-ts.inspected';
/** The slot, as an expression that works in every realm. */
export const slotText = `globalThis[Symbol.for(${JSON.stringify(slotKey)})]`;

/** Passes values between this code and the inspector. Reachable from every realm. */
export interface Slot {
  value: unknown;
  extra?: unknown;
}

/** Throws E_UNSUPPORTED_RUNTIME if this process has no inspector, or may not use it. */
function connect(): Session {
  checkRuntime();
  // Loaded lazily: a Node that was built without the inspector can't load it.
  const inspector = process.getBuiltinModule('node:inspector');
  try {
    const session = new inspector.Session();
    session.connect();
    return session;
  } catch (cause) {
    const isDenied = (cause as NodeJS.ErrnoException).code === 'ERR_ACCESS_DENIED';
    const why = isDenied ? 'the permission model forbids it' : `this Node has none: ${messageOf(cause)}`;
    const fix = isDenied
      ? 'start Node with --allow-inspector (Node 24 and later), or without --permission'
      : 'use a Node.js that was built with its inspector';
    throw unsupported(`Functions are read through Node's inspector, and ${why}`, { fix, cause });
  }
}

/** An inspector session on the current thread. Sends commands and passes values by reference in both directions. */
export class InspectorSession implements Disposable {
  readonly slot: Slot = { value: undefined };
  readonly #session = connect();
  // Under jest, this code runs in a second realm, while the inspector evaluates in the main one.
  readonly #realms: readonly object[] = [globalThis, runInThisContext('globalThis') as object];

  constructor() {
    for (const realm of this.#realms) {
      Object.defineProperty(realm, Symbol.for(slotKey), { value: this.slot, configurable: true, writable: true });
    }
  }

  /** Listens to an event until the returned function is called. */
  on<Params>(event: string, listener: (params: Params) => void): () => void {
    const unpack = ({ params }: { params: Params }): void => listener(params);
    this.#session.on(event, unpack as never);
    return () => void this.#session.off(event, unpack as never);
  }

  [Symbol.dispose](): void {
    this.#session.disconnect();
    for (const realm of this.#realms) Reflect.deleteProperty(realm, Symbol.for(slotKey));
  }

  properties(objectId: string): Properties {
    return this.post<Properties>('Runtime.getProperties', { objectId, ownProperties: true });
  }

  /** Returns the inspector's handle of a value. */
  remote(value: unknown): string {
    this.slot.value = value;
    const { result } = this.post<{ result: RemoteObject }>('Runtime.evaluate', {
      expression: `${slotText}.value`,
      objectGroup,
    });
    return result.objectId ?? '';
  }

  /** Returns the value behind an inspector handle. */
  real(objectId: string): unknown {
    this.post('Runtime.callFunctionOn', {
      objectId,
      functionDeclaration: `function () { "use strict"; ${slotText}.extra = this }`,
    });
    return this.slot.extra;
  }

  /** Returns the value that the inspector described. */
  actual({ objectId, value, unserializableValue }: RemoteObject): unknown {
    if (objectId !== undefined) return this.real(objectId);
    if (unserializableValue === undefined) return value;
    return unserializableValue.endsWith('n') ? BigInt(unserializableValue.slice(0, -1)) : Number(unserializableValue);
  }

  /** Releases all handles. */
  release(): void {
    this.post('Runtime.releaseObjectGroup', { objectGroup });
  }

  /** Sends a command that is expected to fail. */
  attempt(method: string, params: object): void {
    this.#session.post(method, params);
  }

  /** On its own thread, a session calls back before `post` returns. */
  post<T>(method: string, params: object = {}): T {
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
