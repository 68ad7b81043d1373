import { createHash } from 'node:crypto';
import type { Primitive } from '../graph/nodes.ts';

// The state of packages as they are when they were just loaded, as JSON that another process can compare its own with.

/** A primitive as text that begins with its type, or the number of a node. */
export type Reference = string | number;

export type Kind =
  /** Node's or the language's, which every process has: nothing behind it is looked at. */
  | 'known'
  /** Identified by its tag alone. */
  | 'leaf'
  /** Has content besides its properties: dates, regular expressions, typed arrays, long lists. */
  | 'data'
  /** Too far away to be read. */
  | 'beyond'
  | 'symbol'
  | 'function'
  | 'bound'
  | 'object'
  | 'array'
  | 'map'
  | 'set'
  | 'weak';

export interface SnapshotNode {
  readonly kind: Kind;
  /** Values with different tags are no counterparts of each other. */
  readonly tag: string;
  /** Content that may differ without it being another value. */
  content?: string;
  /** Whether nothing can be added to it. */
  isFixed?: boolean;
  /** For a function: never-assigned variables of the calls around it, which distinguish it from others of the same text. */
  closed?: readonly (readonly [depth: number, name: string, value: Reference])[];
  /** For a weak collection: values by keys. */
  weak?: readonly (readonly [key: Reference, value: Reference])[];
  prototype?: Reference;
  /** A string key as it is, a symbol as its reference. An accessor has two references. */
  properties?: (readonly [key: string | readonly [Reference], value: Reference, set?: Reference])[];
  /** Private fields by their names, with the `#`. */
  privates?: (readonly [name: string, value: Reference])[];
  /** For a bound function: its target, `this` and arguments. */
  bound?: readonly Reference[];
  /** For a Map: keys and values; for a Set: values. */
  entries?: (readonly [key: Reference, value?: Reference])[];
}

/** The variables of one call of a function, or of a module, that functions within have kept. */
export interface SnapshotScope {
  readonly file: string;
  readonly names: readonly string[];
  readonly values: readonly Reference[];
  /** How many scopes are around it. */
  readonly depth: number;
  /** The functions through which it can be read: one, unless several may have such a scope each. */
  readonly through: number[];
  /** Some more that share it, should that one have been replaced. */
  readonly others: number[];
  /** Whether its function was called no more than once, as far as is known. */
  isOnly: boolean;
  /** Whether its variables are never assigned, and hold functions that have nothing of their own. */
  isQuiet: boolean;
}

export interface Snapshot {
  /** When the process that took it started and ended, in milliseconds since 1970. */
  readonly pid: number;
  readonly began: number;
  readonly ended: number;
  /** By file: the node of the module's exports. */
  readonly modules: Readonly<Record<string, { readonly isModule: boolean; readonly node: number }>>;
  /** The nodes of extended built-in objects, by their expressions. */
  readonly additions: Readonly<Record<string, number>>;
  readonly nodes: readonly SnapshotNode[];
  readonly scopes: readonly SnapshotScope[];
}

/** Longer texts are told by a hash of them. */
export const longest = 200;

export const hashOf = (content: string | Uint8Array): string => createHash('sha1').update(content).digest('base64');

export function primitiveReference(value: Primitive): string {
  if (typeof value === 'string') return value.length > longest ? `#${hashOf(value)}` : `s${value}`;
  if (typeof value === 'number') return Object.is(value, -0) ? 'n-0' : `n${value}`;
  return value === null ? 'null' : `${typeof value}${String(value)}`;
}

/** A primitive as people see it. */
export function printReference(reference: Reference, nodes: readonly SnapshotNode[]): string {
  if (typeof reference === 'number') return `a ${nodes[reference]?.kind ?? 'value'}`;
  if (reference.startsWith('s')) return JSON.stringify(reference.slice(1));
  if (reference.startsWith('#')) return 'a long text';
  return reference.replace(/^(?:n(?!ull$)|boolean|bigint)/, '').replace(/^undefined.*/, 'undefined');
}
