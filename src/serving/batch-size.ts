import type { LatencyModel } from './latency-model.ts';

/** A batch that was answered. */
export interface ObservedBatch {
  readonly size: number;
  readonly latencyMs: number;
  /** What was left of the earliest deadline when it was sent. */
  readonly budgetMs: number;
}

/** Decides how many queries to send to a replica at once. */
export interface BatchSizePolicy {
  /** The most to send when the earliest deadline leaves this much time; at least 1. */
  sizeFor(budgetMs: number): number;
  /** The most to send where more waits than that, and what counts is how much is answered. */
  pressedSizeFor(budgetMs: number): number;
  /** What that may become once it is explored; may be infinite. */
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

/** The share of the time that is left which a batch may be expected to take, as in Clipper's own server. */
export const budgetShare = 0.92;
/** Beyond this a larger batch makes answers later and hardly more of them. */
const fixedShare = 0.01;
const leastExplored = 4;

/**
 * The largest batch whose latency's 99th percentile, by the model, fits what is left of the earliest deadline, but no larger than makes
 * the fixed cost of a batch negligible. What is not yet known is explored by doubling, as TCP's slow start does (RFC 5681).
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

/** The policy for a model's batch size as Clipper gives it: -1 is adaptive. */
export const policyFor = (batchSize: number, model: LatencyModel): BatchSizePolicy =>
  batchSize > 0 ? fixedBatchSize(batchSize) : latencyBound(model);
