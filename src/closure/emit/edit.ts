import type { Span } from '../syntax/walk.ts';

/** A change to a stretch of a function's text. */
export interface Edit extends Span {
  readonly text: string;
}
