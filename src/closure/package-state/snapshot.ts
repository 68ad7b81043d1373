import { createHash } from 'node:crypto';
import type { Primitive } from '../graph/nodes.ts';

// The state of packages right after loading, as JSON that another process can compare with its own.

/** A primitive as text that begins with its type, or the number of a node. */
export type Reference = string | number;

export type Kind =
  /** Part of Node or the language, so every process has it. Nothing behind it is read. */
  | 'known'
  /** Identified by its tag alone. */
  | 'leaf'
  /** Has content in addition to its properties: dates, regular expressions, typed arrays, long lists. */
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
  /** Values with different tags are never counterparts. */
  readonly tag: string;
  /** Content that may differ while the value remains the same value. */
  content?: string;
  /** Whether nothing can be added to it. */
  isFixed?: boolean;
  /** For a function: the never-assigned variables of the calls around it, which distinguish functions with the same text. */
  closed?: readonly (readonly [depth: number, name: string, value: Reference])[];
  /** For a weak collection: values by key. */
  weak?: readonly (readonly [key: Reference, value: Reference])[];
  prototype?: Reference;
  /** A string key as is, a symbol key as its reference. An accessor has two references. */
  properties?: (readonly [key: string | readonly [Reference], value: Reference, set?: Reference])[];
  /** Private fields by name, including the `#`. */
  privates?: (readonly [name: string, value: Reference])[];
  /** For a bound function: its target, `this` and arguments. */
  bound?: readonly Reference[];
  /** For a Map: keys and values. For a Set: values. */
  entries?: (readonly [key: Reference, value?: Reference])[];
}

/** The variables of a module or of one call of a function that are kept by inner functions. */
export interface SnapshotScope {
  readonly file: string;
  readonly names: readonly string[];
  readonly values: readonly Reference[];
  /** The number of scopes around it. */
  readonly depth: number;
  /** The functions through which it can be read. More than one if several functions may each have such a scope. */
  readonly through: number[];
  /** Some other functions that share it, in case that one was replaced. */
  readonly others: number[];
  /** Whether its function was called at most once, as far as is known. */
  isOnly: boolean;
  /** Whether its variables are never assigned and hold only functions without state of their own. */
  isQuiet: boolean;
}

export interface Snapshot {
  /** The process that took it: its ID, and when it started and ended, in milliseconds since the epoch. */
  readonly pid: number;
  readonly began: number;
  readonly ended: number;
  /** By file: the node of the module's exports. */
  readonly modules: Readonly<Record<string, { readonly isModule: boolean; readonly node: number }>>;
  /** The nodes of extended built-in objects, by expression. */
  readonly additions: Readonly<Record<string, number>>;
  readonly nodes: readonly SnapshotNode[];
  readonly scopes: readonly SnapshotScope[];
}

/** In characters. Longer texts are represented by their hash. */
export const longest = 200;

export const hashOf = (content: string | Uint8Array): string => createHash('sha1').update(content).digest('base64');

export function primitiveReference(value: Primitive): string {
  if (typeof value === 'string') return value.length > longest ? `#${hashOf(value)}` : `s${value}`;
  if (typeof value === 'number') return Object.is(value, -0) ? 'n-0' : `n${value}`;
  return value === null ? 'null' : `${typeof value}${String(value)}`;
}

/** Prints a primitive for people. */
export function printReference(reference: Reference, nodes: readonly SnapshotNode[]): string {
  if (typeof reference === 'number') return `a ${nodes[reference]?.kind ?? 'value'}`;
  if (reference.startsWith('s')) return JSON.stringify(reference.slice(1));
  if (reference.startsWith('#')) return 'a long text';
  return reference.replace(/^(?:n(?!ull$)|boolean|bigint)/, '').replace(/^undefined.*/, 'undefined');
}
