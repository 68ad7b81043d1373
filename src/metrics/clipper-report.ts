import type { Meter } from './meter.ts';
import type { Metrics } from './metrics.ts';
import type { Recorder } from './recorder.ts';

/** A named metric in the format of Clipper's server: all figures are strings. */
type Entry = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Metrics in Clipper's own format, which `inspect_instance` of its Python client reads. */
export interface ClipperReport {
  readonly counters: readonly Entry[];
  readonly ratio_counters: readonly Entry[];
  readonly meters: readonly Entry[];
  readonly histograms: readonly Entry[];
}

export function clipperReport({ applications, models }: Metrics): ClipperReport {
  const counters: Entry[] = [];
  const ratios: Entry[] = [];
  const meters: Entry[] = [];
  const histograms: Entry[] = [];
  let [lookups, hits] = [0, 0];
  for (const [name, { predictions, latency, answers, cacheLookups, cacheHits }] of applications) {
    const of = `app:${name}`;
    const defaults = latency.size - (answers.get('')?.value ?? 0);
    counters.push({ [`${of}:num_predictions`]: { count: String(latency.size) } });
    ratios.push({ [`${of}:default_prediction_ratio`]: ratio(defaults, latency.size) });
    meters.push({ [`${of}:prediction_throughput`]: meter(predictions) });
    histograms.push({ [`${of}:prediction_latency`]: histogram(latency, 'microseconds') });
    lookups += cacheLookups.value;
    hits += cacheHits.value;
  }
  counters.push({ 'internal:prediction_cache_lookups': { count: String(lookups) } });
  ratios.push({ 'internal:prediction_cache_hit_ratio': ratio(hits, lookups) });
  for (const [key, { predictions, latency, batchSize, cacheHits, cacheLookups }] of models) {
    const of = `model:${key}`;
    counters.push({ [`${of}:num_predictions`]: { count: String(predictions.count) } });
    ratios.push({ [`${of}:cache_hit_ratio`]: ratio(cacheHits.value, cacheLookups.value) });
    meters.push({ [`${of}:prediction_throughput`]: meter(predictions) });
    histograms.push({ [`${of}:prediction_latency`]: histogram(latency, 'microseconds') });
    histograms.push({ [`${of}:batch_size`]: histogram(batchSize, 'queries') });
  }
  return { counters, ratio_counters: ratios, meters, histograms };
}

const tidy = (value: number): string => String(Math.round(1_000 * value) / 1_000);

const ratio = (part: number, whole: number): Entry[string] => ({ ratio: whole === 0 ? 'nan' : String(part / whole) });

function meter(measured: Meter): Entry[string] {
  const { mean, averages } = measured.rates();
  const [minute, five, fifteen] = averages.map(String);
  return {
    unit: 'events per second',
    rate: String(mean),
    rate_1min: minute ?? '',
    rate_5min: five ?? '',
    rate_15min: fifteen ?? '',
  };
}

function histogram(recorder: Recorder, unit: string): Entry[string] {
  const { size, min, max, mean, deviation, quantile } = recorder.summary();
  const quantiles = { p50: tidy(quantile(0.5)), p95: tidy(quantile(0.95)), p99: tidy(quantile(0.99)) };
  return {
    unit,
    size: String(size),
    min: tidy(min),
    max: tidy(max),
    mean: tidy(mean),
    std_dev: tidy(deviation),
    ...quantiles,
  };
}
