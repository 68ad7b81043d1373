import type { Path } from './path.ts';

/** Why a value can't travel, and how to fix it. */
export interface Refusal {
  readonly what: string;
  readonly fix: string;
}

/** A captured value that can't travel. */
export interface Problem extends Refusal {
  readonly path: string;
}

/** A problem with its place in the graph. */
export interface FoundProblem extends Problem {
  readonly at: Path;
}
