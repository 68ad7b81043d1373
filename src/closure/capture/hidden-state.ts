import { types } from 'node:util';
import type { BuiltinMember } from '../heap/builtins.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { classOf } from './private-fields.ts';
import { ownName } from './properties.ts';
import { hiddenState, refusalByClass } from './refusals.ts';

/** Classes whose instances travel as plain properties unless a more specific reader handles them. */
const plain = new Set([
  ...['Object', 'Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError', 'AggregateError'],
  ...['Function', 'Array', 'Map', 'Set', 'Date', 'RegExp', 'Boolean', 'Number', 'String', 'Symbol', 'BigInt', 'Promise'],
  ...['ArrayBuffer', 'DataView', 'Iterator', 'EventEmitter of node:events'],
  '(Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())))',
  '(Object.getPrototypeOf(Object.getPrototypeOf((async function* () {}).prototype)))',
]);

/** Says why an instance has more state than its own properties. */
export function refusalOf(builder: GraphBuilder, value: object): ReturnType<typeof hiddenState> | undefined {
  const { intrinsics, builtins } = builder.sources;
  for (let each = Reflect.getPrototypeOf(value); each !== null; each = Reflect.getPrototypeOf(each)) {
    const live = refusalByClass(each);
    if (live !== undefined) return live;
    const builtin = builtins.find(each);
    const intrinsic = intrinsics.find(each)?.replace(/\.prototype$/, '');
    const name = intrinsic ?? (builtin === undefined ? nodesClass(builder, each) : builtinName(builtin));
    if (name !== undefined && !plain.has(name)) return hiddenState(`an instance of ${name}`);
    if (name !== undefined) break;
  }
  return undefined;
}

/** Names a builtin's class: `["EventEmitter", "prototype"]` of `node:events`. The module itself is the EventEmitter class. */
function builtinName({ name, member }: BuiltinMember): string {
  const [first] = member;
  if (name === 'node:events' && (first === 'prototype' || first === 'EventEmitter')) return 'EventEmitter of node:events';
  return `${first} of ${name}`;
}

const nodesClasses = new WeakMap<object, { readonly name: string | undefined }>();

/** Returns the name of a class that Node doesn't export (such as that of timers), by its prototype. */
export function nodesClass({ sources: { inspector, origins } }: GraphBuilder, prototype: object): string | undefined {
  const known = nodesClasses.get(prototype);
  if (known !== undefined) return known.name;
  const owner = classOf(prototype);
  const { scriptId } = owner === undefined || types.isProxy(owner) ? {} : inspector.facts(owner);
  const isNodes = owner !== undefined && (scriptId === undefined || origins.owner(scriptId) === 'node');
  // A bound function and one from another realm are native too, but have no script.
  const name = isNodes && scriptId !== undefined ? ownName(owner) || 'a class of Node' : undefined;
  nodesClasses.set(prototype, { name });
  return name;
}

/** Returns the name of the class of an object or prototype without running any of its code. */
export function classNameOf(value: object): string {
  const prototype = Object.hasOwn(value, 'constructor') ? value : Reflect.getPrototypeOf(value);
  const owner: unknown = prototype === null ? undefined : Reflect.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  return (typeof owner === 'function' && ownName(owner)) || 'a class';
}
