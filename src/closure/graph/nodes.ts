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

/** The parts that every captured object has. Written while the heap is read, read-only afterwards. */
export interface Shell {
  readonly path: Path;
  /** How many places refer to it. */
  references: number;
  /** The prototype, if it isn't the usual one of its kind. */
  prototype: Value;
  properties: Property[];
  integrity: Integrity;
  /** Its private fields, by the class that declares them, that of the base first. */
  privates: readonly PrivateState[] | undefined;
}

/** An object's private state of one class, which only the class's own text can reach. */
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
  /** For a weak collection: captured instances to add, with their values in a WeakMap. */
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
 * An object or array of which there may be millions, so it is its own path and, if all properties are plain, holds only
 * keys and values.
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

/** A change to make in a package once it is loaded. */
export interface ChangeNode extends Shell {
  readonly kind: 'change';
  /** A function that does it. */
  readonly maker: string;
  readonly values: readonly Value[];
  /** The name of each value there; empty for values that give the place. */
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
  /** The parts that captured views cover, if nothing else of it may travel; undefined: all of it. */
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
  /** The variables it uses, by the name in its text; `this` if an arrow function uses it. */
  readonly captures: Map<string, Capture>;
  /** The value of each `require` and `import` call in the text; undefined leaves the call as it is. */
  readonly moduleCalls: Value[];
  /** The superclass, if the text has one. */
  heritage: Value;
  /** The URL of its script, for `import.meta` in its text. */
  readonly url: string | undefined;
  /** The object in its `prototype`, for the parts that the text doesn't define. */
  prototypeMember: MemberNode | undefined;
  /** The values of computed keys in a class's text, by their start. */
  readonly computedKeys: Map<number, Value>;
  /** Keys of members that its text gives and that were deleted since. */
  readonly deleted: (readonly [owner: 'self' | 'prototype', key: string])[];
  /** For a class: methods in its text that were changed since. */
  readonly changedMembers: MemberNode[];
  readonly scriptId: string;
  /** Where its text stands among the scripts of the process: the same for functions of one code. */
  readonly place: string;
  /** The origin of its text; undefined for code that was in no file. */
  readonly origin: FunctionOrigin | undefined;
  /** Whether it runs in sloppy mode. */
  readonly isSloppy: boolean;
  /** What a class must expose from its inside. */
  readonly inside: ClassInside;
  /** The class in whose text it must stand, as it uses private names of that. */
  host: FunctionNode | undefined;
  /** Where its `super` looks members up, if it stands in no class of the bundle. */
  superPrototype: Value;
}

/** The parts of a class's inside that other values need. */
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
