import { types } from 'node:util';
import { ClipperError } from '../../errors.ts';
import type { Sources } from '../heap/sources.ts';
import { classOf } from './private-fields.ts';
import { ownName } from './properties.ts';
import { knownReducers, type Reduced } from './reducers-known.ts';

/** Returns how an instance travels. Runs during capture and must not change the instance. */
export type Reduce<T = unknown> = (instance: T) => Reduced<T>;

/** The key of a method with which your own class defines how its instances travel. See `registerReducer`. */
export const reduceSymbol: unique symbol = Symbol.for('clipper.reduce') as never;

type AnyReduce = (instance: never) => Reduced;

const registered = new Map<object, AnyReduce>();

/**
 * Registers how instances of a class and its subclasses travel if their state can't be read from outside: as a function and its
 * arguments, which are captured like any other value. Throws E_INVALID_OPTION if `Class` isn't a class.
 *
 * Modeled on `copyreg` and `__reduce__` of Python's pickle.
 */
// biome-ignore lint/suspicious/noExplicitAny: classes with any constructor, also protected ones
export function registerReducer<T>(Class: abstract new (...args: any[]) => T, reduce: Reduce<T>): void {
  const prototype: unknown = typeof Class === 'function' ? Class.prototype : undefined;
  if (typeof prototype !== 'object' || prototype === null || typeof reduce !== 'function') {
    throw new ClipperError('E_INVALID_OPTION', 'registerReducer: expected a class and a function that reduces its instances');
  }
  registered.set(prototype, reduce);
}

/** Returns how an object travels, if its class has a reducer. Rethrows what the reducer throws. */
export function reduce(sources: Sources, value: object): Reduced | undefined {
  for (let each = Reflect.getPrototypeOf(value); each !== null; each = Reflect.getPrototypeOf(each)) {
    if (types.isProxy(each)) return undefined;
    const found = registered.get(each) ?? ownHook(each) ?? knownReducer(sources, each);
    if (found !== undefined) return found(value as never);
  }
  return undefined;
}

function ownHook(prototype: object): AnyReduce | undefined {
  const hook: unknown = Reflect.getOwnPropertyDescriptor(prototype, reduceSymbol)?.value;
  return typeof hook === 'function' ? (instance: never) => hook.call(instance) as Reduced : undefined;
}

/** Returns the built-in reducer of a well-known package whose objects keep their state out of reach. */
function knownReducer({ inspector, origins }: Sources, prototype: object): AnyReduce | undefined {
  const owner = classOf(prototype);
  const known = owner === undefined ? undefined : knownReducers.get(ownName(owner));
  if (owner === undefined || known === undefined) return undefined;
  const { scriptId } = inspector.facts(owner);
  const file = scriptId === undefined ? undefined : origins.file(scriptId);
  if (file === undefined || !known.files.test(file)) return undefined;
  return (instance: never) => known.reduce(instance, (pattern) => origins.loaded(pattern), file);
}
