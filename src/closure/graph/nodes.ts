import type { FunctionSyntax } from '../syntax/syntax.ts';
import type { Path } from './path.ts';
import type { FunctionOrigin } from './source-place.ts';

export type Primitive = undefined | null | boolean | number | bigint | string;

/** A captured value: a primitive as is, anything else as a node of the graph. */
export type Value = Primitive | Node;

export interface Property {
  readonly key: string | Node;
  readonly value: Value;
  readonly get: Value;
  readonly set: Value;
  /** Whether `get` and `set` apply, and not `value` and `writable`. */
  readonly accessor: boolean;
  readonly writable: boolean;
  readonly enumerable: boolean;
  readonly configurable: boolean;
  /** For an export of a module namespace, the variable behind it. */
  readonly live?: Capture;
}

export type Integrity = 'extensible' | 'fixed' | 'sealed' | 'frozen';

/** What every captured object has. Written while the heap is read, read-only afterwards. */
export interface Shell {
  readonly path: Path;
  /** The number of places that refer to it. */
  references: number;
  /** The prototype, unless it is the default one for this kind. */
  prototype: Value;
  properties: Property[];
  integrity: Integrity;
  /** Private fields by declaring class, base class first. */
  privates: readonly PrivateState[] | undefined;
}

/** An object's private state from one class. Only that class's own text can access it. */
export interface PrivateState {
  readonly owner: FunctionNode;
  /** Whether these are the class's own static fields, which exist as soon as the class does. */
  readonly isStatic: boolean;
  /** Values by field name, including the `#`. */
  readonly fields: readonly (readonly [name: string, value: Value])[];
}

/** A value that the replica's process has under a name: a global, a member of one, or a well-known symbol. */
export interface IntrinsicNode extends Shell {
  readonly kind: 'intrinsic';
  readonly expression: string;
}

/** A module, or something that it exports. */
export interface ModuleNode extends Shell {
  readonly kind: 'module';
  readonly source: ModuleSource;
  readonly member: readonly string[];
  /** For a weak collection: the captured instances to add, with their values for a WeakMap. */
  kept?: [key: Value, value?: Value][];
}

export const allCalls = '*';

export type ModuleSource =
  /** A builtin, by its `node:` name. */
  | { readonly type: 'builtin'; readonly name: string }
  /** An ES module. `specifier` is resolved like an import in the folder `from`. */
  | { readonly type: 'import'; readonly specifier: string; readonly from: string }
  /** The `module.exports` of a CommonJS module, by file. */
  | { readonly type: 'require'; readonly file: string }
  /**
   * What a package's module keeps private. Without `at`, the members are the module's top-level variables; with `at`, those of
   * the function whose body begins at that offset of the text. The member `set x` is a function that assigns `x`. For a class
   * body at that offset, `get #x`, `set #x` and `has #x` are functions that take an object.
   *
   * If a function is called several times, the members are the variables of its first call, unless the first member is
   * `allCalls`: then the value is a list with one entry per call, and the other members say which variables each entry has.
   */
  | { readonly type: 'inside'; readonly file: string; readonly isModule: boolean; readonly at?: number };

/**
 * An object or array. There may be millions, so each is its own path and holds only keys and values if all its properties are
 * plain.
 */
interface DataShell extends Shell, Path {
  /** Values of properties that look as if assigned (writable, enumerable, configurable). Undefined if `properties` has them. */
  values: Value[] | undefined;
  /** Row number in the data table, or -1 if it is written as code. */
  row: number;
  /** Its number in the last graph walk that visited it. */
  mark: number;
  /** Returns the key of the value at this index of `values`. */
  keyOf(index: number): string;
  /** Converts `values` to `properties`. */
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

/** A part of another node: a class's prototype, or a function in the text of a class. */
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

/**
 * A value created by an expression with captured arguments: a date, regular expression, boxed primitive, error, URL and so on.
 */
export interface MadeNode extends Shell {
  readonly kind: 'made';
  /** For example, `new Date`. */
  readonly maker: string;
  readonly values: readonly Value[];
}

/** A change to apply to a package after it has loaded. */
export interface ChangeNode extends Shell {
  readonly kind: 'change';
  /** The expression of a function that applies the change. */
  readonly maker: string;
  readonly values: readonly Value[];
  /** The name of each value. Empty for values that only locate the change. */
  readonly names: readonly string[];
}

/** A value that a call recreates. */
export interface CallNode extends Shell {
  readonly kind: 'call';
  readonly target: Value;
  readonly values: readonly Value[];
}

export interface MapNode extends Shell {
  readonly kind: 'map';
  /** Whether it is a WeakMap. Only entries whose keys travel are captured. */
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
  /** The maximum length in bytes, if the buffer is resizable. */
  readonly maximum: number | undefined;
  /** The parts that captured views cover, if nothing else may travel. Undefined if the whole buffer travels. */
  ranges: { readonly start: number; readonly end: number }[] | undefined;
}

/** Returns the part of an ArrayBuffer that travels. `start` is aligned for any element type. */
export function extentOf({ buffer, ranges }: BufferNode): { readonly start: number; readonly end: number } {
  if (ranges === undefined) return { start: 0, end: buffer.byteLength };
  const start = Math.min(buffer.byteLength, ...ranges.map((range) => range.start));
  return { start: start - (start % 8), end: Math.max(start, ...ranges.map((range) => range.end)) };
}

export interface ViewNode extends Shell {
  readonly kind: 'view';
  /** For example, `Float64Array`, `DataView` or `Buffer`. */
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
  /** The variables it uses, by the name in its text, and `this` if an arrow function uses it. */
  readonly captures: Map<string, Capture>;
  /** The value of each `require` and `import` call in the text. Undefined leaves the call as is. */
  readonly moduleCalls: Value[];
  /** The superclass, if the text has an `extends` clause. */
  heritage: Value;
  /** The URL of its script, for `import.meta` in its text. */
  readonly url: string | undefined;
  /** Its `prototype` object, for the parts that the text doesn't define. */
  prototypeMember: MemberNode | undefined;
  /** The values of computed keys in a class's text, by start offset. */
  readonly computedKeys: Map<number, Value>;
  /** Keys of members that the text defines and that were deleted later. */
  readonly deleted: (readonly [owner: 'self' | 'prototype', key: string])[];
  /** For a class: methods of its text that were changed later. */
  readonly changedMembers: MemberNode[];
  readonly scriptId: string;
  /** Where its text is among the scripts of the process. Functions created from the same code share it. */
  readonly place: string;
  /** The origin of its text. Undefined for code that isn't from a file. */
  readonly origin: FunctionOrigin | undefined;
  /** Whether it runs in sloppy mode. */
  readonly isSloppy: boolean;
  /** What a class must expose from its inside. */
  readonly inside: ClassInside;
  /** The class whose text must contain this function, because the function uses its private names. */
  host: FunctionNode | undefined;
  /** The object in which `super` looks up members, if the function isn't inside a class of the bundle. */
  superPrototype: Value;
}

/** The parts of a class's inside that other values need. */
export interface ClassInside {
  /** Whether instances are restored through it, without running its field initializers and constructor. */
  restores: boolean;
  /** Private fields that are set from outside. */
  readonly slots: Set<string>;
  /** Functions that use its private names. */
  readonly hosted: FunctionNode[];
}

/** A variable as one function sees it. */
export interface Capture {
  readonly value: Value;
  /** Set once all functions are known. See environments.ts. */
  binding: Binding | undefined;
}

/** A variable of the bundle, shared by the functions that shared it in the process. */
export interface Binding {
  readonly name: string;
  readonly value: Value;
  /** Whether any captured function assigns it. */
  readonly written: boolean;
  /** Whether the variable is still in its temporal dead zone, so that reading it throws. */
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
