import type { Output } from '../protocol/content.ts';
import type { InFlightBatch } from './replica-slot.ts';
import type { Waiting } from './waiting-line.ts';

/** The result of a computation. */
export type ComputationResult =
  | { readonly kind: 'answered'; readonly output: Output }
  | { readonly kind: 'lost'; readonly why: string }
  | { readonly kind: 'shed'; readonly why: string };

/** A computation that one or several queries with the same input wait for. Times are on the clock of performance.now(). */
export interface Computation extends Waiting {
  readonly input: Uint8Array;
  readonly receivedAt: number;
  /** The latest deadline of its queries. `deadline` is the first query's. */
  readonly lastDeadline: number;
  /** Its batch, in flight or answered; undefined while it waits. */
  inFlight: InFlightBatch | undefined;
  /** How many replicas are working on it. */
  copies: number;
  /** Whether it was already in flight in a replica that was lost. */
  isRetried: boolean;
  /** Only the first call counts. */
  finish(result: ComputationResult): void;
}
