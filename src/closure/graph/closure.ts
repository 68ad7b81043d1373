import type { Capture, ChangeNode, DataNode, FunctionNode, Node, Value } from './nodes.ts';
import type { Problem } from './problem.ts';

/** A module that this process evaluated. */
export interface LoadedFile {
  readonly file: string;
  readonly isModule: boolean;
}

/** A captured value that should not be in a bundle, and where it is. */
export interface Secret extends Problem {
  readonly holder: Node;
  /** The key under which the holder refers to the secret. Undefined if the holder itself is the secret. */
  readonly key: string | number | undefined;
}

/** Everything a function needs to run elsewhere. Capture writes it; emit and report read it. */
export interface CapturedClosure {
  /** The exports of the bundle's entry module, by name. */
  readonly roots: ReadonlyMap<string, Value>;
  readonly functions: readonly FunctionNode[];
  /** Objects and arrays with only plain properties. There may be millions. */
  readonly data: readonly DataNode[];
  /** Captures of the variables behind the exports of module namespaces. */
  readonly live: readonly Capture[];
  /** Values to write even though nothing refers to them. */
  readonly extras: readonly Value[];
  /** Values that the bundle passes to the calls that create other values. */
  readonly evaluated: readonly Value[];
  /** The changes to apply to packages. Also among the extras. */
  readonly changes: readonly ChangeNode[];
  /** Objects of the user's own modules that travel with all their exports. */
  readonly wholeModules: ReadonlySet<Node>;
  /** Values that can travel but should not. */
  readonly warnings: readonly Problem[];
  /** The captured credentials. */
  readonly secrets: readonly Secret[];
  /** The folder of the user's package. Packages are bundled from there. */
  readonly projectDir: string;
  /** The modules that this process evaluated from the packages the closure refers to, in load order. */
  readonly packageFiles: readonly LoadedFile[];
}
