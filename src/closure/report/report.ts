import type { Problem } from '../graph/problem.ts';

/** A finding about a captured value. */
export interface Flag {
  readonly kind: 'large' | 'whole-module' | 'barely-used' | 'credentials';
  /** The finding and its fix. */
  readonly message: string;
}

/** A captured value and everything captured because of it. */
export interface CaptureNode {
  /** The last step of the path: `captured "weights"`, `.pool`, `[0]`, `this`. */
  readonly name: string;
  /** For example, `predict → captured "weights"`. */
  readonly path: string;
  /** `reference`: found by name in the replica. `asset`: binary data in a file. `value`: written into the bundle. */
  readonly how: 'value' | 'reference' | 'asset';
  /** For example, `function`, `Float64Array(3)`, `import of ml-matrix`, `class Foo`. */
  readonly type: string;
  /**
   * The approximate number of bytes that it and everything below it add to the bundle. A value counts once, at its highest
   * place.
   */
  readonly bytes: number;
  /** Why it is captured. For example, `used by predict at src/app.ts:12`. */
  readonly why: string;
  /** What should be different. */
  readonly flags: readonly Flag[];
  /** The children worth a line. If there are many, one line sums up the rest: `… and 999,980 more`. */
  readonly children: readonly CaptureNode[];
}

/** What a capture contains, in words and numbers. Holds no captured values. */
export interface CaptureReport {
  /** The captured functions, each with everything captured because of it. */
  readonly roots: readonly CaptureNode[];
  /** What can't travel. Empty for a closure that can be deployed. */
  readonly problems: readonly Problem[];
  /** Values that should not travel because they look like credentials. */
  readonly warnings: readonly Problem[];
  readonly bytes: number;
  /** The report as text for a terminal with 100 columns. */
  toString(): string;
}
