import type { LatencyModel } from './latency-model.ts';

/** A batch that was answered. */
export interface ObservedBatch {
  readonly size: number;
  readonly latencyMs: number;
  /** The time left until the earliest deadline when the batch was sent. */
  readonly budgetMs: number;
}

/** Decides how many queries to send to a replica at once. */
export interface BatchSizePolicy {
  /** The most to send when the earliest deadline leaves this much time; at least 1. */
  sizeFor(budgetMs: number): number;
  /** The most to send when more queries than that wait, and throughput counts. */
  pressedSizeFor(budgetMs: number): number;
  /** What `pressedSizeFor` may grow to once such batches have been tried; may be infinite. */
  limitFor(budgetMs: number): number;
  observe(batch: ObservedBatch): void;
}

export const fixedBatchSize = (size: number): BatchSizePolicy => ({
  sizeFor: () => size,
  pressedSizeFor: () => size,
  limitFor: () => size,
  observe: () => {},
});

const largest = 4_096;

/**
 * Grows by one while full batches meet their objective and shrinks by a tenth when one misses it: the AIMD scheme of
 * Crankshaw et al., "Clipper: A Low-Latency Online Prediction Serving System" (NSDI 2017), section 4.3.1.
 */
export function additiveIncrease(): BatchSizePolicy {
  let size = 1;
  return {
    sizeFor: () => size,
    pressedSizeFor: () => size,
    limitFor: () => size,
    observe(batch) {
      if (batch.latencyMs > batch.budgetMs) size = Math.max(1, Math.floor(size * 0.9));
      else if (batch.size >= size) size = Math.min(largest, size + 1);
    },
  };
}

/** The share of the remaining time that a batch is planned to take, as in Clipper's own server. */
export const budgetShare = 0.92;
/** Once the fixed cost is only this share of the inputs' cost, a larger batch adds latency but hardly any throughput. */
const fixedShare = 0.01;
const leastExplored = 4;

/**
 * The largest batch whose p99 latency, by the model, fits the time left until the earliest deadline, but no larger than
 * makes the fixed cost of a batch negligible. Untried sizes are explored by doubling, as in TCP's slow start (RFC 5681).
 */
export function latencyBound(model: LatencyModel): BatchSizePolicy {
  let explored = 1;
  const bounded = (size: number): number => {
    const useful = Math.max(leastExplored, model.sizeForFixedShare(fixedShare));
    return Math.max(1, Math.min(useful, size));
  };
  const limitFor = (budgetMs: number): number => bounded(model.meanSizeWithin(budgetShare * budgetMs));
  return {
    sizeFor: (budgetMs) => Math.floor(Math.min(explored, bounded(model.sizeWithin(budgetShare * budgetMs)))),
    pressedSizeFor: (budgetMs) => Math.floor(Math.min(explored, limitFor(budgetMs))),
    limitFor,
    observe({ size }) {
      if (size >= explored) explored = Math.min(largest, 2 * explored);
    },
  };
}

/** The policy for a model's `batchSize`: a fixed size, or adaptive for -1, as in Clipper. */
export const policyFor = (batchSize: number, model: LatencyModel): BatchSizePolicy =>
  batchSize > 0 ? fixedBatchSize(batchSize) : latencyBound(model);
