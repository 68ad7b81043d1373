import { getOrInsert } from '../util/get-or-insert.ts';
import { ApplicationMetrics, ModelMetrics } from './counted.ts';
import type { Recorder } from './recorder.ts';

/** How a shadow version's outputs differ. */
export interface ShadowFigures {
  readonly compared: number;
  readonly different: number;
  readonly failures: number;
  readonly dropped: number;
  readonly latency: Recorder;
}

/** Results of a model's queries since the last change of its split. */
export interface TrafficFigures {
  readonly model: string;
  /** By version. */
  readonly versions: ReadonlyMap<string, { readonly latency: Recorder; readonly failures: number }>;
  /** Undefined if there is no shadow version. */
  readonly shadow: { readonly version: string; readonly outcome: ShadowFigures } | undefined;
}

/** Figures that are read on demand rather than counted. */
export interface Gauges {
  /** The prediction cache. */
  readonly cacheSize: { readonly bytes: number; readonly entries: number };
  /** The models whose queries are split. */
  readonly traffic: readonly TrafficFigures[];
  /** Queries that wait for a replica of a version (`name:version`). */
  queueDepth(model: string): number;
  /** Batches that were sent to a replica and not answered. */
  batchesInFlight(model: string, replicaId: number): number;
}

/** The server's metrics. Names and labels are listed in docs/03-serving.md. */
export class Metrics {
  readonly applications = new Map<string, ApplicationMetrics>();
  readonly models = new Map<string, ModelMetrics>();
  application(name: string): ApplicationMetrics {
    return getOrInsert(this.applications, name, () => new ApplicationMetrics());
  }

  /** By `name:version`. */
  model(key: string): ModelMetrics {
    return getOrInsert(this.models, key, () => new ModelMetrics());
  }
}
