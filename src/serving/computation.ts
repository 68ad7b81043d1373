import type { Output } from '../protocol/content.ts';
import type { InFlightBatch } from './replica-slot.ts';
import type { Waiting } from './waiting-line.ts';

/** What came of a computation. */
export type ComputationResult =
  | { readonly kind: 'answered'; readonly output: Output }
  | { readonly kind: 'lost'; readonly why: string }
  | { readonly kind: 'shed'; readonly why: string };

/** What one or several queries with the same input wait for. Times are on the clock of performance.now(). */
export interface Computation extends Waiting {
  readonly input: Uint8Array;
  readonly receivedAt: number;
  /** Of the query that waits for it for longest; `deadline` is of the first. */
  readonly lastDeadline: number;
  /** The batch that it is or was in; undefined while it waits. */
  inFlight: InFlightBatch | undefined;
  /** How many replicas work on it. */
  copies: number;
  /** Whether it was in flight once already, in a replica that went away. */
  isRetried: boolean;
  /** The first result counts. */
  finish(result: ComputationResult): void;
}
