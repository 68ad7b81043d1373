import { getOrInsert } from '../util/get-or-insert.ts';
import { Meter } from './meter.ts';
import { Count, Recorder } from './recorder.ts';

/** An application's metrics. Times are in microseconds. */
export class ApplicationMetrics {
  readonly predictions = new Meter();
  readonly latency = new Recorder();
  /** By the reason for the default output; '' for predictions. */
  readonly answers = new Map<string, Count>();
  readonly cacheLookups = new Count();
  readonly cacheHits = new Count();
  /** Queries that shared the computation of an identical one in flight. */
  readonly joined = new Count();
  readonly feedback = new Count();

  answered(now: number, micros: number, reason: string): void {
    this.predictions.mark(now);
    this.latency.record(micros);
    getOrInsert(this.answers, reason, () => new Count()).add();
  }
}

/** A model version's metrics. Times are in microseconds. */
export class ModelMetrics {
  readonly predictions = new Meter();
  readonly batchSize = new Recorder();
  /** From a query's receipt until it was sent to a replica. */
  readonly queued = new Recorder();
  /** The function's time for a batch, if the replica reports it. */
  readonly computed = new Recorder();
  /** `latency` without `computed`. */
  readonly carried = new Recorder();
  /** From sending a batch until its outputs arrived. */
  readonly latency = new Recorder();
  readonly cacheLookups = new Count();
  readonly cacheHits = new Count();
  readonly failures = new Count();
  readonly late = new Count();
  readonly retried = new Count();
  readonly hedged = new Count();
  /** Feedback that a replica did not take: its function threw, its queue was full, or it was lost. */
  readonly feedbackFailures = new Count();
  readonly replicas = new Map<number, ReplicaMetrics>();

  replica(id: number): ReplicaMetrics {
    return getOrInsert(this.replicas, id, () => new ReplicaMetrics());
  }
}

/** A replica's metrics. */
export class ReplicaMetrics {
  readonly latency = new Recorder();
  readonly inputs = new Count();
  readonly failedBatches = new Count();
}
