import { Counter, Histogram, Registry } from 'prom-client';

/** What the server counts. Names and labels are listed in docs/05-serving.md. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #predictions = new Counter({
    name: 'clipper_predictions_total',
    help: 'Predictions answered, by application; `reason` is empty unless the default output was given.',
    labelNames: ['application', 'reason'],
    registers: [this.#registry],
  });
  readonly #latency = new Histogram({
    name: 'clipper_prediction_latency_seconds',
    help: 'Time from receipt of a query to its answer.',
    labelNames: ['application'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [this.#registry],
  });
  readonly #batches = new Histogram({
    name: 'clipper_batch_size',
    help: 'Inputs in each batch sent to a replica.',
    labelNames: ['model'],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    registers: [this.#registry],
  });
  readonly #feedback = new Counter({
    name: 'clipper_feedback_total',
    help: 'Feedback received, by application.',
    labelNames: ['application'],
    registers: [this.#registry],
  });

  readonly #feedbackFailures = new Counter({
    name: 'clipper_feedback_failures_total',
    help: 'Feedback that a replica did not take, by model: its function threw, or had more to take than is kept for it.',
    labelNames: ['model'],
    registers: [this.#registry],
  });

  predicted(application: string, seconds: number, reason = ''): void {
    this.#predictions.inc({ application, reason });
    this.#latency.observe({ application }, seconds);
  }

  batched(model: string, size: number): void {
    this.#batches.observe({ model }, size);
  }

  feedbackReceived(application: string): void {
    this.#feedback.inc({ application });
  }

  feedbackFailed(model: string, count: number): void {
    this.#feedbackFailures.inc({ model }, count);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  json(): Promise<unknown> {
    return this.#registry.getMetricsAsJSON();
  }
}
