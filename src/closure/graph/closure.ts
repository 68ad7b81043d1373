import type { Capture, ChangeNode, DataNode, FunctionNode, Node, Value } from './nodes.ts';
import type { Problem } from './problem.ts';

/** A module that this process evaluated. */
export interface LoadedFile {
  readonly file: string;
  readonly isModule: boolean;
}

/** A captured value that should not be in a bundle, and its place. */
export interface Secret extends Problem {
  readonly holder: Node;
  /** The key under which the holder leads to it; undefined: the holder itself. */
  readonly key: string | number | undefined;
}

/** Everything that a function needs to run elsewhere. Written by capture, read by emit and report. */
export interface CapturedClosure {
  /** The exports of the bundle's entry, by name. */
  readonly roots: ReadonlyMap<string, Value>;
  readonly functions: readonly FunctionNode[];
  /** Objects and arrays of plain properties, which may be very many. */
  readonly data: readonly DataNode[];
  /** Variables that namespaces of modules show. */
  readonly live: readonly Capture[];
  /** Values to write although nothing refers to them. */
  readonly extras: readonly Value[];
  /** Values that code reads which makes other values. */
  readonly evaluated: readonly Value[];
  /** The changes to make in packages; also among the extras. */
  readonly changes: readonly ChangeNode[];
  /** Objects of the user's own modules with all their exports. */
  readonly wholeModules: ReadonlySet<Node>;
  /** Values that should not travel, although they can. */
  readonly warnings: readonly Problem[];
  /** Where captured credentials are. */
  readonly secrets: readonly Secret[];
  /** The folder of the user's package, from which packages are bundled. */
  readonly projectDir: string;
  /** The modules that this process evaluated of the packages that the closure refers to, in the order in which it loaded them. */
  readonly packageFiles: readonly LoadedFile[];
}
