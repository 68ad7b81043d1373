import { isDeepStrictEqual } from 'node:util';
import type { Application } from '../control/state-store.ts';
import { Recorder } from '../metrics/recorder.ts';
import type { Computation, ComputationResult } from './computation.ts';
import type { OpenQuery } from './query.ts';
import type { InFlightBatch } from './replica-slot.ts';

/** Two outputs that differ. */
export interface Difference {
  readonly queryId: number;
  readonly output: string;
  readonly shadowOutput: string;
}

const keptDifferences = 100;
const maxKeptText = 1_000;

/** How a shadow version's outputs and latencies compare with the answers that were given. */
export class ShadowOutcome {
  /** Microseconds from a query's receipt to the shadow's output. */
  readonly latency = new Recorder();
  /** Queries for which both versions had an output. */
  compared = 0;
  different = 0;
  /** Failures of the shadow, whatever the other version did. */
  failures = 0;
  /** Copies that were not computed, because the shadow had no replica or too much to do. */
  dropped = 0;
  /** The sum of absolute differences between outputs that are both numbers, and the count of such pairs. */
  absoluteDifference = 0;
  numbers = 0;
  /** The latest differences, oldest first. */
  readonly differences: Difference[] = [];

  compare(query: OpenQuery, shadowOutput: string): void {
    const { output, queryId } = query;
    this.compared++;
    const [one, other] = [parsed(output), parsed(shadowOutput)];
    if (typeof one === 'number' && typeof other === 'number') {
      this.numbers++;
      this.absoluteDifference += Math.abs(one - other);
    }
    if (output === shadowOutput || isDeepStrictEqual(one, other)) return;
    this.different++;
    const cut = (text: string): string => text.slice(0, maxKeptText);
    this.differences.push({ queryId, output: cut(output), shadowOutput: cut(shadowOutput) });
    if (this.differences.length > keptDifferences) this.differences.shift();
  }
}

/** A copy of a query for a shadow version, whose output is only compared. */
export class ShadowComputation implements Computation {
  readonly input: Uint8Array;
  readonly application: Application;
  readonly receivedAt: number;
  readonly deadline: number;
  readonly lastDeadline: number;
  inFlight: InFlightBatch | undefined;
  copies = 0;
  isRetried = false;
  readonly #query: OpenQuery;
  readonly #outcome: ShadowOutcome;
  #result: ComputationResult | undefined;

  constructor(query: OpenQuery, input: Uint8Array, outcome: ShadowOutcome) {
    this.#query = query;
    this.#outcome = outcome;
    this.input = input;
    this.application = query.application;
    this.receivedAt = query.receivedAt;
    this.deadline = query.deadline;
    this.lastDeadline = query.deadline;
  }

  /** Nobody waits for it, so it is not worth computing after its deadline. */
  get isWanted(): boolean {
    return this.#result === undefined && performance.now() < this.deadline;
  }

  finish(result: ComputationResult): void {
    if (this.#result !== undefined) return;
    this.#result = result;
    if (result.kind === 'answered') this.#outcome.latency.record(1_000 * (performance.now() - this.receivedAt));
    if (result.kind === 'shed') this.#outcome.dropped++;
    else if (result.kind === 'lost' || result.output.failed) this.#outcome.failures++;
    this.compare();
  }

  /** Call when the query itself is answered. */
  compare(): void {
    const { isSettled, fallback } = this.#query;
    const result = this.#result;
    if (!isSettled || fallback !== undefined || result?.kind !== 'answered' || result.output.failed) return;
    this.#outcome.compare(this.#query, result.output.text);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
