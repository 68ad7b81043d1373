import type { Span } from '../syntax/walk.ts';

/** A replacement for a span of a function's text. */
export interface Edit extends Span {
  readonly text: string;
}
