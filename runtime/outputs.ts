import { inspect } from 'node:util';
import type { Output } from '../src/protocol/content.ts';
import type { RemoteError } from '../src/protocol/messages.ts';

/**
 * Turns a function's return value into the output to send: a string as is, anything else as JSON. Fails on values that JSON
 * would silently drop: the entries of a Map, what a generator yields, the state of an instance.
 */
export function answer(output: unknown): Output {
  if (typeof output === 'string') return { text: output, failed: false, isString: true };
  if (Number.isFinite(output)) return { text: String(output), failed: false };
  try {
    const text = JSON.stringify(output, faithful);
    if (text !== undefined) return { text, failed: false };
  } catch (error) {
    return failure(error);
  }
  return failure(new TypeError(`An output must be a string or JSON, but predict returned ${typeof output}`));
}

/**
 * Replaces a typed array with a list, since JSON would print its indices as keys. Throws for values that JSON can't represent.
 */
function faithful(key: string, value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : refuse(key, `${value}`, 'return null or a string');
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Array.from(value as Uint8Array);
  if (value instanceof Map) return refuse(key, 'a Map', 'return Object.fromEntries(map) or [...map]');
  if (value instanceof Set) return refuse(key, 'a Set', 'return [...set]');
  if (Symbol.asyncIterator in value) return refuse(key, 'an async generator', 'collect what it yields and return that');
  if (isPlain(value) || Object.keys(value).length > 0) return value;
  const how = Symbol.iterator in value ? 'return [...it]' : 'return a plain object, or give its class a toJSON()';
  return refuse(key, `an instance of ${value.constructor?.name || 'a class'}`, how);
}

/** Also true for plain objects of another `vm` context. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function refuse(key: string, what: string, how: string): never {
  const where = key === '' ? '' : ` at "${key}"`;
  throw new TypeError(`predict returned ${what}${where}, which JSON has no form for: ${how}`);
}

/** Turns a thrown value into the output to send. */
export function failure(thrown: unknown): Output {
  const error: RemoteError =
    thrown instanceof Error
      ? { name: String(thrown.name), message: messageWithin(thrown), ...stackOf(thrown) }
      : { name: 'Error', message: `Something other than an Error was thrown: ${inspect(thrown)}` };
  return { text: JSON.stringify(error), failed: true };
}

const mostErrors = 5;

/** Joins an error's message with those of its causes and of an AggregateError's errors, each once. */
function messageWithin(error: Error, seen = new Set<unknown>()): string {
  seen.add(error);
  const inner = (each: unknown): string => {
    if (!(each instanceof Error)) return inspect(each);
    return `${String(each.name)}: ${seen.has(each) ? String(each.message) : messageWithin(each, seen)}`;
  };
  const errors = error instanceof AggregateError && Array.isArray(error.errors) ? error.errors.slice(0, mostErrors) : [];
  const within = errors.length === 0 ? '' : ` [${errors.map(inner).join('; ')}]`;
  return `${String(error.message)}${within}${error.cause === undefined ? '' : `, caused by ${inner(error.cause)}`}`;
}

/** A program may replace `stack` with anything. Only a string is used. */
const stackOf = ({ stack }: Error): { stack?: string } => (typeof stack === 'string' ? { stack: ownFrames(stack) } : {});

/** Removes the frames of this program, which say nothing about the user's function. */
const ownFrames = (stack: string): string =>
  stack
    .split('\n')
    .filter((line) => !line.includes(import.meta.dirname))
    .join('\n');
