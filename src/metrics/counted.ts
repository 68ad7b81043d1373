import { getOrInsert } from '../util/get-or-insert.ts';
import { Meter } from './meter.ts';
import { Count, Recorder } from './recorder.ts';

/** What is counted of an application. Times are in microseconds. */
export class ApplicationMetrics {
  readonly predictions = new Meter();
  readonly latency = new Recorder();
  /** By the reason for a default output; '' where there was none. */
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

/** What is counted of a model version. Times are in microseconds. */
export class ModelMetrics {
  readonly predictions = new Meter();
  readonly batchSize = new Recorder();
  /** From a query's receipt until a replica was sent it. */
  readonly queued = new Recorder();
  /** The function's time for a batch, where its replica says so. */
  readonly computed = new Recorder();
  /** The rest of the time from sending a batch until its outputs were there. */
  readonly carried = new Recorder();
  /** From sending to outputs, the sum of these two. */
  readonly latency = new Recorder();
  readonly cacheLookups = new Count();
  readonly cacheHits = new Count();
  readonly failures = new Count();
  readonly late = new Count();
  readonly retried = new Count();
  readonly hedged = new Count();
  /** Feedback that a replica did not take: its function threw, or had more to take than is kept for it. */
  readonly feedbackFailures = new Count();
  readonly replicas = new Map<number, ReplicaMetrics>();

  replica(id: number): ReplicaMetrics {
    return getOrInsert(this.replicas, id, () => new ReplicaMetrics());
  }
}

/** What is counted of a replica. */
export class ReplicaMetrics {
  readonly latency = new Recorder();
  readonly inputs = new Count();
  readonly failedBatches = new Count();
}
