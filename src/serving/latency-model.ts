/** The weight of older batches decays by this factor with each batch: after a hundred, a seventh is left. */
const memory = 0.98;
/** How many batches the model needs before it is used. */
const training = 8;

/**
 * A replica's latency as a linear function of batch size, learned online: least squares with exponential forgetting. The
 * slowest batches' distance from the line is a quantile of the ratio of latency to the line. It is tracked by stochastic
 * approximation (Robbins and Monro, "A Stochastic Approximation Method", 1951) on the loss of quantile regression (Koenker
 * and Bassett, "Regression Quantiles", 1978), as the Clipper paper proposes for the 99th percentile (section 4.3.1).
 * Constant time for each batch, constant memory.
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

  /** Adds a batch: `ms` is how long the replica worked on it, `awayMs` how long until its outputs arrived. */
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

  /** Mean milliseconds of a batch of this size. */
  mean(size: number): number {
    return this.#intercept + this.#slope * size;
  }

  /** Milliseconds until the outputs of a batch of this size have arrived, 95th percentile. */
  p95(size: number): number {
    return this.mean(size) * this.#p95.value;
  }

  /** Milliseconds that the replica works on a batch of this size, 99th percentile. */
  p99(size: number): number {
    return this.mean(size) * this.#p99.value;
  }

  /** Mean milliseconds per input in batches of this size, which may be infinite. */
  perInput(size: number): number {
    return this.#slope + this.#intercept / size;
  }

  /** The largest size whose 99th percentile fits; infinite if latency doesn't depend on size. */
  sizeWithin(ms: number): number {
    return this.meanSizeWithin(ms / this.#p99.value);
  }

  /** The largest size that fits on average; infinite if latency doesn't depend on size. */
  meanSizeWithin(ms: number): number {
    const left = ms - this.#intercept;
    if (left <= 0) return 0;
    return this.#slope === 0 ? Number.POSITIVE_INFINITY : Math.floor(left / this.#slope);
  }

  /** The size at which a batch's fixed cost is this share of its inputs' cost. */
  sizeForFixedShare(share: number): number {
    return this.#slope === 0 ? Number.POSITIVE_INFINITY : this.#intercept / (share * this.#slope);
  }

  #fit(): void {
    const [meanSize, meanMs] = [this.#size / this.#weight, this.#ms / this.#weight];
    const variance = this.#sizeSquared / this.#weight - meanSize ** 2;
    // Batches of one size don't reveal the slope.
    if (variance > 1e-3 * meanSize ** 2) {
      const covariance = this.#sizeMs / this.#weight - meanSize * meanMs;
      this.#slope = Math.max(0, covariance / variance);
    }
    this.#slope = Math.min(this.#slope, meanMs / meanSize);
    this.#intercept = meanMs - this.#slope * meanSize;
  }
}

/** Tracks a quantile of values around 1: a value above it raises it a lot, a value below lowers it a little. */
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
