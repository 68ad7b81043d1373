/** How fast older batches are forgotten: after a hundred, a seventh of their weight is left. */
const memory = 0.98;
/** Batches before the model is believed. */
const training = 8;

/**
 * How long a replica takes for a batch, as a line of its size, learned as it works: least squares with exponential forgetting. How far
 * above the line the slowest batches lie is a quantile of latency over the line, followed by stochastic approximation (Robbins and Monro,
 * "A Stochastic Approximation Method", 1951) on the loss of quantile regression (Koenker and Bassett, "Regression Quantiles", 1978),
 * as the Clipper paper proposes for the 99th percentile (section 4.3.1). Constant in time and memory for each batch.
 */
export class LatencyModel {
  #weight = 0;
  #size = 0;
  #ms = 0;
  #sizeSquared = 0;
  #sizeMs = 0;
  #batches = 0;
  #slope = 0;
  #intercept = 0;
  readonly #p95 = new QuantileFollower(0.95);
  readonly #p99 = new QuantileFollower(0.99);

  get isTrained(): boolean {
    return this.#batches >= training;
  }

  /** Takes in how long the replica worked on a batch, and after what time its outputs were here. */
  observe(size: number, ms: number, awayMs = ms): void {
    const line = this.mean(size);
    if (this.isTrained && line > 0) {
      this.#p95.observe(awayMs / line);
      this.#p99.observe(ms / line);
    }
    this.#batches++;
    this.#weight = memory * this.#weight + 1;
    this.#size = memory * this.#size + size;
    this.#ms = memory * this.#ms + ms;
    this.#sizeSquared = memory * this.#sizeSquared + size * size;
    this.#sizeMs = memory * this.#sizeMs + size * ms;
    this.#fit();
  }

  /** Milliseconds that a batch of this size takes on average. */
  mean(size: number): number {
    return this.#intercept + this.#slope * size;
  }

  /** Milliseconds after which the outputs of 95 of 100 batches of this size are here. */
  p95(size: number): number {
    return this.mean(size) * this.#p95.value;
  }

  /** Milliseconds that 99 of 100 batches of this size don't exceed. */
  p99(size: number): number {
    return this.mean(size) * this.#p99.value;
  }

  /** Milliseconds an input in batches of this size, which may be infinite. */
  perInput(size: number): number {
    return this.#slope + this.#intercept / size;
  }

  /** The largest size whose 99th percentile fits; infinite where size seems to cost nothing. */
  sizeWithin(ms: number): number {
    return this.meanSizeWithin(ms / this.#p99.value);
  }

  /** The largest size that fits on average; infinite where size seems to cost nothing. */
  meanSizeWithin(ms: number): number {
    const left = ms - this.#intercept;
    if (left <= 0) return 0;
    return this.#slope === 0 ? Number.POSITIVE_INFINITY : Math.floor(left / this.#slope);
  }

  /** The size at which the fixed cost of a batch is this share of the cost of its inputs. */
  sizeForFixedShare(share: number): number {
    return this.#slope === 0 ? Number.POSITIVE_INFINITY : this.#intercept / (share * this.#slope);
  }

  #fit(): void {
    const [meanSize, meanMs] = [this.#size / this.#weight, this.#ms / this.#weight];
    const variance = this.#sizeSquared / this.#weight - meanSize ** 2;
    // Batches of one size say nothing of the slope.
    if (variance > 1e-3 * meanSize ** 2) {
      const covariance = this.#sizeMs / this.#weight - meanSize * meanMs;
      this.#slope = Math.max(0, covariance / variance);
    }
    this.#slope = Math.min(this.#slope, meanMs / meanSize);
    this.#intercept = meanMs - this.#slope * meanSize;
  }
}

/** Follows a quantile of values around 1: each value above it moves it up much, or each below it down a little. */
class QuantileFollower {
  readonly #share: number;
  value = 1;

  constructor(share: number) {
    this.#share = share;
  }

  observe(value: number): void {
    const step = 0.1 * this.value;
    this.value = value > this.value ? this.value + step * this.#share : Math.max(1, this.value - step * (1 - this.#share));
  }
}
