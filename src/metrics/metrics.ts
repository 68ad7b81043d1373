import { getOrInsert } from '../util/get-or-insert.ts';
import { ApplicationMetrics, ModelMetrics } from './counted.ts';
import type { Recorder } from './recorder.ts';

/** How the outputs of a version that computes copies differ. */
export interface ShadowFigures {
  readonly compared: number;
  readonly different: number;
  readonly failures: number;
  readonly dropped: number;
  readonly latency: Recorder;
}

/** What came of a model's queries since they are split as they are. */
export interface TrafficFigures {
  readonly model: string;
  /** By version. */
  readonly versions: ReadonlyMap<string, { readonly latency: Recorder; readonly failures: number }>;
  /** Undefined where no version computes copies. */
  readonly shadow: { readonly version: string; readonly outcome: ShadowFigures } | undefined;
}

/** Figures that are not counted but read when somebody asks. */
export interface Gauges {
  /** Of the prediction cache. */
  readonly cacheSize: { readonly bytes: number; readonly entries: number };
  /** The models whose queries are split. */
  readonly traffic: readonly TrafficFigures[];
  /** Queries that wait for a replica of a version, by `name:version`. */
  queueDepth(model: string): number;
  /** Batches that a replica was sent and has not answered. */
  batchesInFlight(model: string, replicaId: number): number;
}

/** What the server counts. Names and labels are listed in docs/03-serving.md. */
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
