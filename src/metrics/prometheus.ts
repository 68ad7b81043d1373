import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import { getOrInsert } from '../util/get-or-insert.ts';
import type { ApplicationMetrics, ModelMetrics, ReplicaMetrics } from './counted.ts';
import type { Gauges, Metrics, ShadowFigures, TrafficFigures } from './metrics.ts';
import { Count, Recorder } from './recorder.ts';

type Labels = Readonly<Record<string, string>>;
type Measured = Count | Recorder | number;

interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly series: () => Iterable<readonly [Labels, Measured]>;
}

/** Times are recorded in microseconds, and Prometheus expects seconds. */
const isTime = (name: string): boolean => name.endsWith('_seconds');

const registries = new WeakMap<Metrics, Registry>();

/** All metrics in Prometheus' text format, including those of the process. */
export const prometheusText = (metrics: Metrics, gauges: Gauges): Promise<string> =>
  getOrInsert(registries, metrics, () => registryOf(metrics, gauges)).metrics();

function registryOf(metrics: Metrics, gauges: Gauges): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 });
  for (const family of [
    ...applicationFamilies(metrics),
    ...modelFamilies(metrics, gauges),
    ...replicaFamilies(metrics, gauges),
    ...cacheFamilies(gauges),
    ...trafficFamilies(gauges),
  ]) {
    // Recording a query is cheaper with our recorders than with prom-client's metrics, of which it needs only this.
    registry.registerMetric({ ...family, get: async () => ({ ...family, values: samples(family) }) } as unknown as Metric);
  }
  return registry;
}

function* samples({ name, series }: Family): Iterable<{ labels: Labels; value: number; metricName?: string }> {
  for (const [labels, measured] of series()) {
    if (!(measured instanceof Recorder)) {
      yield { labels, value: measured instanceof Count ? measured.value : measured };
      continue;
    }
    const unit = isTime(name) ? 1e6 : 1;
    for (const { bound, count } of measured.cumulative()) {
      yield { labels: { ...labels, le: String(bound / unit) }, value: count, metricName: `${name}_bucket` };
    }
    yield { labels: { ...labels, le: '+Inf' }, value: measured.size, metricName: `${name}_bucket` };
    yield { labels, value: measured.sum / unit, metricName: `${name}_sum` };
    yield { labels, value: measured.size, metricName: `${name}_count` };
  }
}

function applicationFamilies({ applications }: Metrics): Family[] {
  const each = (read: (of: ApplicationMetrics) => Measured) =>
    function* () {
      for (const [application, counted] of applications) yield [{ application }, read(counted)] as const;
    };
  const answers = function* () {
    for (const [application, counted] of applications) {
      for (const [reason, count] of counted.answers) yield [{ application, reason }, count] as const;
    }
  };
  const counter = (name: string, help: string, read: (of: ApplicationMetrics) => Measured): Family => ({
    name,
    type: 'counter',
    help,
    series: each(read),
  });
  return [
    {
      name: 'clipper_predictions_total',
      type: 'counter',
      help: 'Queries answered; `reason` is empty unless the default output was given.',
      series: answers,
    },
    {
      name: 'clipper_prediction_latency_seconds',
      type: 'histogram',
      help: 'Time from receipt of a query to its answer.',
      series: each(({ latency }) => latency),
    },
    counter('clipper_cache_lookups_total', 'Queries that the cache was asked for.', (of) => of.cacheLookups),
    counter('clipper_cache_hits_total', 'Queries that the cache answered.', (of) => of.cacheHits),
    counter('clipper_joined_total', 'Queries that shared the computation of an identical one.', (of) => of.joined),
    counter('clipper_feedback_total', 'Feedback received.', (of) => of.feedback),
  ];
}

function modelFamilies({ models }: Metrics, gauges: Gauges): Family[] {
  const family = (
    name: string,
    type: Family['type'],
    help: string,
    read: (of: ModelMetrics, model: string) => Measured,
  ): Family => ({
    name,
    type,
    help,
    *series() {
      for (const [model, counted] of models) yield [{ model }, read(counted, model)];
    },
  });
  return [
    family('clipper_batch_size', 'histogram', 'Inputs in each batch.', (of) => of.batchSize),
    family('clipper_queue_seconds', 'histogram', 'Time from receipt of a query until a replica was sent it.', (of) => of.queued),
    family('clipper_compute_seconds', 'histogram', "The function's time for a batch.", (of) => of.computed),
    family('clipper_transport_seconds', 'histogram', 'The rest of the time that a batch was away.', (of) => of.carried),
    family('clipper_queue_depth', 'gauge', 'Queries that wait for a replica.', (_of, model) => gauges.queueDepth(model)),
    family('clipper_replicas', 'gauge', 'Replicas that are connected.', (of) => of.replicas.size),
    family('clipper_function_errors_total', 'counter', 'Inputs on which the function failed.', (of) => of.failures),
    family('clipper_late_results_total', 'counter', 'Outputs that came after their queries were answered.', (of) => of.late),
    family('clipper_retried_total', 'counter', 'Queries tried again after their replica went away.', (of) => of.retried),
    family('clipper_feedback_failures_total', 'counter', 'Feedback that a replica did not take.', (of) => of.feedbackFailures),
    family('clipper_hedged_total', 'counter', 'Queries sent to a second replica because the first was slow.', (of) => of.hedged),
  ];
}

function replicaFamilies({ models }: Metrics, gauges: Gauges): Family[] {
  const family = (
    name: string,
    type: Family['type'],
    help: string,
    read: (of: ReplicaMetrics, model: string, id: number) => Measured,
  ): Family => ({
    name,
    type,
    help,
    *series() {
      for (const [model, { replicas }] of models) {
        for (const [id, counted] of replicas) yield [{ model, replica: String(id) }, read(counted, model, id)];
      }
    },
  });
  return [
    family('clipper_batch_latency_seconds', 'histogram', 'Time from sending a batch to its outputs.', (of) => of.latency),
    family('clipper_replica_inputs_total', 'counter', 'Inputs answered by a replica.', (of) => of.inputs),
    family(
      'clipper_failed_batches_total',
      'counter',
      'Batches of which nothing came back but failures.',
      (of) => of.failedBatches,
    ),
    family('clipper_batches_in_flight', 'gauge', 'Batches that a replica has and has not answered.', (_of, model, id) =>
      gauges.batchesInFlight(model, id),
    ),
  ];
}

function cacheFamilies(gauges: Gauges): Family[] {
  const gauge = (name: string, help: string, read: () => number): Family => ({
    name,
    type: 'gauge',
    help,
    series: () => [[{}, read()]],
  });
  return [
    gauge('clipper_cache_bytes', 'Bytes of inputs and outputs in the cache.', () => gauges.cacheSize.bytes),
    gauge('clipper_cache_entries', 'Outputs in the cache.', () => gauges.cacheSize.entries),
  ];
}

function trafficFamilies(gauges: Gauges): Family[] {
  const traffic = (): readonly TrafficFigures[] => gauges.traffic;
  type Version = TrafficFigures['versions'] extends ReadonlyMap<string, infer V> ? V : never;
  const ofVersions = (name: string, type: Family['type'], help: string, read: (of: Version) => Measured): Family => ({
    name,
    type,
    help,
    *series() {
      for (const { model, versions } of traffic()) {
        for (const [version, outcome] of versions) yield [{ model: `${model}:${version}` }, read(outcome)];
      }
    },
  });
  const ofShadows = (name: string, type: Family['type'], help: string, read: (of: ShadowFigures) => Measured): Family => ({
    name,
    type,
    help,
    *series() {
      for (const { model, shadow } of traffic())
        if (shadow !== undefined) yield [{ model: `${model}:${shadow.version}` }, read(shadow.outcome)];
    },
  });
  return [
    ofVersions(
      'clipper_split_latency_seconds',
      'histogram',
      'Time to the answer, by version, since traffic is split.',
      (of) => of.latency,
    ),
    ofVersions('clipper_split_failures', 'gauge', 'Default outputs, by version, since traffic is split.', (of) => of.failures),
    ofShadows('clipper_shadow_latency_seconds', 'histogram', "Time to the shadow's output.", (of) => of.latency),
    ofShadows('clipper_shadow_compared', 'gauge', 'Outputs of the shadow that were compared.', (of) => of.compared),
    ofShadows('clipper_shadow_different', 'gauge', 'Those that were not the same.', (of) => of.different),
    ofShadows('clipper_shadow_failures', 'gauge', 'Queries on which the shadow failed.', (of) => of.failures),
    ofShadows('clipper_shadow_dropped', 'gauge', 'Queries that the shadow did not compute.', (of) => of.dropped),
  ];
}
