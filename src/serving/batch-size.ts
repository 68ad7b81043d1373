/** Decides how many queries to send to a replica at once. */
export interface BatchSizePolicy {
  readonly size: number;
  /** Takes in how long a batch took, from its sending to its answer. */
  observe(batch: { readonly size: number; readonly latencyMs: number; readonly budgetMs: number }): void;
}

export const fixedBatchSize = (size: number): BatchSizePolicy => ({ size, observe: () => {} });

const largest = 4_096;

/**
 * Grows by one while full batches meet their objective and shrinks by a tenth when one misses it: the AIMD scheme of
 * Crankshaw et al., "Clipper: A Low-Latency Online Prediction Serving System" (NSDI 2017), section 4.3.1.
 */
export function additiveIncrease(): BatchSizePolicy {
  let size = 1;
  return {
    get size() {
      return size;
    },
    observe(batch) {
      if (batch.latencyMs > batch.budgetMs) size = Math.max(1, Math.floor(size * 0.9));
      else if (batch.size >= size) size = Math.min(largest, size + 1);
    },
  };
}

/** The policy for a model's batch size as Clipper gives it: -1 is adaptive. */
export const policyFor = (batchSize: number): BatchSizePolicy => (batchSize > 0 ? fixedBatchSize(batchSize) : additiveIncrease());
