import type { FunctionSyntax } from '../syntax/syntax.ts';
import type { Path } from './path.ts';
import type { FunctionOrigin } from './source-place.ts';

export type Primitive = undefined | null | boolean | number | bigint | string;

/** A captured value: a primitive itself, anything else as a node of the graph. */
export type Value = Primitive | Node;

export interface Property {
  readonly key: string | Node;
  readonly value: Value;
  readonly get: Value;
  readonly set: Value;
  /** Whether `get` and `set` hold, rather than `value` and `writable`. */
  readonly accessor: boolean;
  readonly writable: boolean;
  readonly enumerable: boolean;
  readonly configurable: boolean;
  /** The variable that it shows, of the namespace of a module. */
  readonly live?: Capture;
}

export type Integrity = 'extensible' | 'fixed' | 'sealed' | 'frozen';

/** What every captured object has. Written while the graph is read, read-only afterwards. */
export interface Shell {
  readonly path: Path;
  /** How many places refer to it. */
  references: number;
  /** The prototype, where it isn't the one that its kind is made with. */
  prototype: Value;
  properties: Property[];
  integrity: Integrity;
  /** Its private fields, by the class that declares them, that of the base first. */
  privates: readonly PrivateState[] | undefined;
}

/** What one class keeps in an object that only the class's own text can reach. */
export interface PrivateState {
  readonly owner: FunctionNode;
  /** Whether they are the class's own static fields, which are there once the class is. */
  readonly isStatic: boolean;
  /** Values by the field's name, with its `#`. */
  readonly fields: readonly (readonly [name: string, value: Value])[];
}

/** A value that is found by name in the replica's process: a global, a member of one, a well-known symbol. */
export interface IntrinsicNode extends Shell {
  readonly kind: 'intrinsic';
  readonly expression: string;
}

/** Something that a module exports, or the module itself. */
export interface ModuleNode extends Shell {
  readonly kind: 'module';
  readonly source: ModuleSource;
  readonly member: readonly string[];
  /** Of a weak collection: captured instances to add, with what a WeakMap holds for each. */
  kept?: [key: Value, value?: Value][];
}

export const allCalls = '*';

export type ModuleSource =
  /** A builtin, by its `node:` name. */
  | { readonly type: 'builtin'; readonly name: string }
  /** An ES module; `specifier` is resolved from the folder `from` as an import there would be. */
  | { readonly type: 'import'; readonly specifier: string; readonly from: string }
  /** A CommonJS module by its file; stands for `module.exports`. */
  | { readonly type: 'require'; readonly file: string }
  /**
   * What a package's module keeps to itself: its top-level variables as members, or those of the function whose body begins
   * `at` an offset of the text; `set x` is a function that assigns `x`. Of a class whose body begins there, `get #x` and `set #x`
   * are functions that take an instance. Of a function that is called several times the variables are those of its first call;
   * `allCalls` as the first member stands for the list of all, and the others for what is wanted of each.
   */
  | { readonly type: 'inside'; readonly file: string; readonly isModule: boolean; readonly at?: number };

/**
 * An object or array of which there may be millions, so it is its own path and, where all properties are plain, holds no
 * more than keys and values.
 */
interface DataShell extends Shell, Path {
  /** The values of properties that are all as an assignment makes them; undefined: `properties` has them. */
  values: Value[] | undefined;
  /** Its number in the table of data; -1: it is written as code. */
  row: number;
  /** Its number in the last walk over the graph that counted it. */
  mark: number;
  /** The key of each of the `values`. */
  keyOf(index: number): string;
  /** Puts the properties down one by one. */
  expand(): void;
}

export interface ObjectNode extends DataShell {
  readonly kind: 'object';
  keys: readonly string[];
}

export interface ArrayNode extends DataShell {
  readonly kind: 'array';
  readonly length: number;
}

export type DataNode = ObjectNode | ArrayNode;

/** A part of another node: a class's prototype, or a function that stands in the text of a class. */
export interface MemberNode extends Shell {
  readonly kind: 'member';
  readonly owner: Value;
  readonly key: string | Node;
  readonly role: 'value' | 'get' | 'set';
}

export interface SymbolNode extends Shell {
  readonly kind: 'symbol';
  readonly description: string | undefined;
}

/** A value that is made by an expression with captured arguments: dates, regular expressions, boxed primitives, errors, URLs. */
export interface MadeNode extends Shell {
  readonly kind: 'made';
  /** For example `new Date`. */
  readonly maker: string;
  readonly values: readonly Value[];
}

/** Something that is done to what a package keeps, once it is loaded. */
export interface ChangeNode extends Shell {
  readonly kind: 'change';
  /** A function that does it. */
  readonly maker: string;
  readonly values: readonly Value[];
  /** What each value is called there; empty for those that say where it is done. */
  readonly names: readonly string[];
}

/** A value that a call makes again. */
export interface CallNode extends Shell {
  readonly kind: 'call';
  readonly target: Value;
  readonly values: readonly Value[];
}

export interface MapNode extends Shell {
  readonly kind: 'map';
  /** Whether it is a WeakMap, of which those entries travel whose keys do. */
  readonly isWeak: boolean;
  readonly entries: [Value, Value][];
}

export interface SetNode extends Shell {
  readonly kind: 'set';
  readonly isWeak: boolean;
  readonly entries: Value[];
}

/** An ArrayBuffer. */
export interface BufferNode extends Shell {
  readonly kind: 'buffer';
  readonly buffer: ArrayBuffer;
  /** Up to how many bytes it can be resized, if it can. */
  readonly maximum: number | undefined;
  /** The parts that captured views cover, where nothing else of it may travel; undefined: all of it. */
  ranges: { readonly start: number; readonly end: number }[] | undefined;
}

/** Where in an ArrayBuffer the part begins and ends that travels; the beginning fits any element type. */
export function extentOf({ buffer, ranges }: BufferNode): { readonly start: number; readonly end: number } {
  if (ranges === undefined) return { start: 0, end: buffer.byteLength };
  const start = Math.min(buffer.byteLength, ...ranges.map((range) => range.start));
  return { start: start - (start % 8), end: Math.max(start, ...ranges.map((range) => range.end)) };
}

export interface ViewNode extends Shell {
  readonly kind: 'view';
  /** For example `Float64Array`, `DataView` or `Buffer`. */
  readonly type: string;
  readonly buffer: BufferNode;
  readonly byteOffset: number;
  /** Undefined for a view that follows the length of its buffer. */
  readonly length: number | undefined;
}

export interface BoundNode extends Shell {
  readonly kind: 'bound';
  readonly target: Value;
  readonly boundThis: Value;
  readonly boundArguments: readonly Value[];
}

export interface FunctionNode extends Shell {
  readonly kind: 'function';
  readonly name: string;
  readonly syntax: FunctionSyntax;
  /** The variables it uses, by the name in its text; `this` where an arrow takes it from around it. */
  readonly captures: Map<string, Capture>;
  /** What stands for each of the text's `require` and `import` calls; undefined: the call as it is. */
  readonly moduleCalls: Value[];
  /** The superclass, where the text has one. */
  heritage: Value;
  /** Of the script that it stands in, for what its text says of `import.meta`. */
  readonly url: string | undefined;
  /** The object in its `prototype`, for what of that the text doesn't give. */
  prototypeMember: MemberNode | undefined;
  /** The keys that computed ones in a class's text came to, by where they begin. */
  readonly computedKeys: Map<number, Value>;
  /** Keys of members that its text gives and that were deleted since. */
  readonly deleted: (readonly [owner: 'self' | 'prototype', key: string])[];
  /** Of a class: methods in its text that have more to them than that. */
  readonly changedMembers: MemberNode[];
  readonly scriptId: string;
  /** Where its text stands among the scripts of the process: the same for functions of one code. */
  readonly place: string;
  /** Tells where its text came from; undefined for code that was in no file. */
  readonly origin: FunctionOrigin | undefined;
  /** Whether it runs in sloppy mode. */
  readonly isSloppy: boolean;
  /** What a class gives beside itself. */
  readonly inside: ClassInside;
  /** The class in whose text it must stand, as it uses private names of that. */
  host: FunctionNode | undefined;
  /** Where its `super` looks members up, if it stands in no class of the bundle. */
  superPrototype: Value;
}

/** What other values need of the inside of a class. */
export interface ClassInside {
  /** Whether instances are restored through it, without its initialisers and constructor being run. */
  restores: boolean;
  /** Private fields that are set from outside. */
  readonly slots: Set<string>;
  /** Functions that use its private names. */
  readonly hosted: FunctionNode[];
}

/** A variable as one function sees it. */
export interface Capture {
  readonly value: Value;
  /** Decided once all functions are known; see environments.ts. */
  binding: Binding | undefined;
}

/** A variable of the bundle, shared by the functions that shared it in the process. */
export interface Binding {
  readonly name: string;
  readonly value: Value;
  /** Whether any captured function assigns it. */
  readonly written: boolean;
  /** Whether its declaration was not reached yet, so that to use it throws. */
  readonly uninitialized: boolean;
}

export type Node =
  | IntrinsicNode
  | ModuleNode
  | MemberNode
  | SymbolNode
  | ObjectNode
  | ArrayNode
  | MadeNode
  | ChangeNode
  | CallNode
  | MapNode
  | SetNode
  | BufferNode
  | ViewNode
  | BoundNode
  | FunctionNode;

export const isPrimitive = (value: unknown): value is Primitive =>
  value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol');

export const isNode = (value: Value): value is Node => typeof value === 'object' && value !== null;
