import type { Problem } from '../graph/problem.ts';

/** Something about a captured value that should be different. */
export interface Flag {
  readonly kind: 'large' | 'whole-module' | 'barely-used' | 'credentials';
  /** The finding, and the fix. */
  readonly message: string;
}

/** A captured value, and what came along with it. */
export interface CaptureNode {
  /** The last step of the path: `captured "weights"`, `.pool`, `[0]`, `this`. */
  readonly name: string;
  /** `predict → captured "weights"` */
  readonly path: string;
  /** `reference`: found by name in the replica; `asset`: binary data in a file; `value`: written into the bundle. */
  readonly how: 'value' | 'reference' | 'asset';
  /** For example `function`, `Float64Array(3)`, `import of ml-matrix`, `class Foo`. */
  readonly type: string;
  /** The approximate bytes that it and everything below add to the bundle; each value counts once, at its highest place. */
  readonly bytes: number;
  /** Why it is captured: `used by predict at src/app.ts:12`. */
  readonly why: string;
  /** What should be different. */
  readonly flags: readonly Flag[];
  /** Those worth a line; of many, the rest is one of them: `… and 999,980 more`. */
  readonly children: readonly CaptureNode[];
}

/** The X-ray of a capture: words and numbers, no captured values. */
export interface CaptureReport {
  /** The functions that were captured, with all that came along. */
  readonly roots: readonly CaptureNode[];
  /** What can't travel; empty for a closure that can be deployed. */
  readonly problems: readonly Problem[];
  /** Values that should not travel: they look like credentials. */
  readonly warnings: readonly Problem[];
  readonly bytes: number;
  /** The report as text for a terminal of 100 columns. */
  toString(): string;
}
