export class Count {
  value = 0;

  add(events = 1): void {
    this.value += events;
  }
}

/** Ten bounds per decade, rounded as in the R10 series of preferred numbers (ISO 3), so that 1, 2.5 and 5 are among them. */
const decade = [1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8];
/** Three bounds per decade are enough for a graph. */
const coarse = new Set([1, 2.5, 5]);

/** Statistics of the recorded values. */
export interface Summary {
  readonly size: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly deviation: number;
  quantile(share: number): number;
}

/**
 * A histogram of values from one to ten million, with ten buckets per decade. Recording a value takes a search among 71
 * bounds, and no memory. Times are in microseconds.
 */
export class Recorder {
  static readonly bounds: readonly number[] = [...Array.from({ length: 70 }, (_, at) => bound(at)), 1e7];
  readonly #counts = new Float64Array(Recorder.bounds.length + 1);
  #size = 0;
  #sum = 0;
  #squares = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;

  record(value: number): void {
    const bucket = bucketOf(value);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#size++;
    this.#sum += value;
    this.#squares += value * value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  get size(): number {
    return this.#size;
  }

  get sum(): number {
    return this.#sum;
  }

  /** For each coarse bound, how many values are at most that. */
  cumulative(): { readonly bound: number; readonly count: number }[] {
    let count = 0;
    return Recorder.bounds.flatMap((each, at) => {
      count += this.#counts[at] as number;
      return coarse.has(decade[at % 10] ?? 0) ? [{ bound: each, count }] : [];
    });
  }

  summary(): Summary {
    const mean = this.#size === 0 ? 0 : this.#sum / this.#size;
    const variance = this.#size === 0 ? 0 : Math.max(0, this.#squares / this.#size - mean ** 2);
    const quantile = (share: number): number => this.#quantile(share);
    const min = this.#size === 0 ? 0 : this.#min;
    return { size: this.#size, min, max: this.#max, mean, deviation: Math.sqrt(variance), quantile };
  }

  /** An estimate that assumes an even distribution within each bucket. */
  #quantile(share: number): number {
    let left = share * this.#size;
    for (const [at, count] of this.#counts.entries()) {
      if (left <= count && count > 0) {
        const low = Math.max(Recorder.bounds[at - 1] ?? 0, Math.min(this.#min, this.#max));
        const high = Math.min(Recorder.bounds[at] ?? this.#max, this.#max);
        return low + (high - low) * (left / count);
      }
      left -= count;
    }
    return this.#max;
  }
}

function bound(at: number): number {
  return (decade[at % 10] as number) * 10 ** Math.floor(at / 10);
}

/** The first bucket whose bound is not below the value. */
function bucketOf(value: number): number {
  let low = 0;
  let high = Recorder.bounds.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((Recorder.bounds[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
