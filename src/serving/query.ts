import type { DefaultReason } from '../contract/queries.ts';
import type { Application } from '../control/state-store.ts';
import type { ModelMetrics } from '../metrics/counted.ts';
import type { RemoteError } from '../protocol/messages.ts';
import type { Computation } from './computation.ts';
import type { InFlightBatch } from './replica-slot.ts';

/** Why a query got the default output. */
export interface Fallback {
  readonly reason: DefaultReason;
  readonly explanation: string;
  /** What the function threw, with a stack that points to the user's own files. */
  readonly error?: RemoteError;
}

/** The answer to one query: a prediction, or the default output with the reason. */
export interface Answer {
  readonly queryId: number;
  /** The replica's output, or the application's default output. */
  readonly output: string;
  readonly fallback: Fallback | undefined;
  /** `name:version`; undefined if no model is linked. */
  readonly model: string | undefined;
  readonly timeline: Timeline;
}

/** When each step of a query happened, in microseconds since its receipt. Steps that didn't happen are left out. */
export interface Timeline {
  readonly received: 0;
  /** Added to the model's queue. */
  readonly queued?: number;
  /** Taken from the queue into a batch. */
  readonly batched?: number;
  readonly sent?: number;
  /** The replica's outputs arrived. */
  readonly computed?: number;
  readonly answered: number;
  /** How many inputs the batch had. */
  readonly batchSize?: number;
  readonly replica?: number;
  /** How long the function took for the batch, if the replica reports it. */
  readonly computeMicros?: number;
  /** Answered from the cache. */
  readonly cached?: true;
  /** Shared the computation of an earlier identical query. */
  readonly joined?: true;
}

/** Where an application's queries are sent. */
export interface QueryTarget {
  /** `name:version`. */
  readonly model: string;
  readonly queueKey: string;
  /** Distinguishes deploys of the same name and version. */
  readonly generation: string;
  /** Undefined if outputs are not to be cached. */
  readonly cache: { readonly ttlMicros?: number } | undefined;
  readonly metrics: ModelMetrics;
}

/** A timer may be a millisecond late, and so may the writing of an answer. */
const longestMarginMs = 2;
const marginShare = 0.05;

/** A query until its answer. Times are on the clock of performance.now(). */
export class OpenQuery implements Answer {
  readonly queryId: number;
  readonly application: Application;
  readonly model: string | undefined;
  readonly receivedAt: number;
  readonly deadline: number;
  /** When it gets the default output: shortly before its deadline, so that this arrives in time. */
  readonly expiresAt: number;
  readonly #onAnswered: (query: OpenQuery) => void;
  queuedAt: number | undefined;
  computation: Computation | undefined;
  /** Its copy for the shadow version. */
  shadow: { compare(): void } | undefined;
  isCached = false;
  isJoined = false;
  /** It came while there was no replica. */
  isEarly = false;
  isSettled = false;
  answeredAt = 0;
  output = '';
  fallback: Fallback | undefined;

  constructor(
    queryId: number,
    { application, model, receivedAt }: { application: Application; model: string | undefined; receivedAt: number },
    onAnswered: (query: OpenQuery) => void,
  ) {
    this.queryId = queryId;
    this.application = application;
    this.model = model;
    this.receivedAt = receivedAt;
    const sloMs = application.latencySloMicros / 1_000;
    this.deadline = receivedAt + sloMs;
    this.expiresAt = this.deadline - Math.min(longestMarginMs, marginShare * sloMs);
    this.#onAnswered = onAnswered;
  }

  answer(output: string): void {
    if (this.isSettled) return;
    this.output = output;
    this.#settle();
  }

  fallBack(fallback: Fallback): void {
    if (this.isSettled) return;
    this.output = this.application.defaultOutput;
    this.fallback = fallback;
    this.#settle();
  }

  get timeline(): Timeline {
    const micros = (at: number): number => Math.max(0, Math.round(1_000 * (at - this.receivedAt)));
    const inFlight = this.computation?.inFlight;
    return {
      received: 0,
      ...(this.queuedAt === undefined ? {} : { queued: micros(this.queuedAt) }),
      ...(inFlight === undefined ? {} : wayOf(inFlight, micros)),
      answered: micros(this.answeredAt),
      ...(this.isCached ? { cached: true } : {}),
      ...(this.isJoined ? { joined: true } : {}),
    };
  }

  #settle(): void {
    this.isSettled = true;
    this.answeredAt = performance.now();
    this.#onAnswered(this);
  }
}

function wayOf(inFlight: InFlightBatch, micros: (at: number) => number): Partial<Timeline> {
  return {
    batched: micros(inFlight.batchedAt),
    sent: micros(inFlight.sentAt),
    ...(inFlight.answeredAt === undefined ? {} : { computed: micros(inFlight.answeredAt) }),
    batchSize: inFlight.size,
    replica: inFlight.replicaId,
    ...(inFlight.computeMicros === undefined ? {} : { computeMicros: inFlight.computeMicros }),
  };
}
