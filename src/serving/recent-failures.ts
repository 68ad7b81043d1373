import type { DefaultReason } from '../contract/queries.ts';
import type { RemoteError } from '../protocol/messages.ts';
import type { Answer, Timeline } from './query.ts';

/** A query that got the default output. */
export interface FailedQuery {
  readonly queryId: number;
  readonly application: string;
  readonly model: string | undefined;
  readonly at: string;
  readonly reason: DefaultReason;
  readonly explanation: string;
  readonly error?: RemoteError;
  readonly timeline: Timeline;
}

const kept = 1_000;
const maxTextLength = 8_192;

/** The latest queries that got the default output, for looking up what happened. */
export class RecentFailures {
  #failures: FailedQuery[] = [];
  #next = 0;

  add(application: string, { queryId, model, fallback, timeline }: Answer): void {
    if (fallback === undefined) return;
    const { reason, explanation, error } = fallback;
    this.#failures[this.#next] = {
      queryId,
      application,
      model,
      at: new Date().toISOString(),
      reason,
      explanation: bounded(explanation),
      ...(error === undefined ? {} : { error: boundedError(error) }),
      timeline,
    };
    this.#next = (this.#next + 1) % kept;
  }

  forget(application: string): void {
    const inOrder = [...this.#failures.slice(this.#next), ...this.#failures.slice(0, this.#next)];
    this.#failures = inOrder.filter((failure) => failure.application !== application);
    this.#next = this.#failures.length % kept;
  }

  find(application: string, queryId: number): FailedQuery | undefined {
    return this.#failures.find((failure) => failure.queryId === queryId && failure.application === application);
  }

  /** An application's failures, latest first. */
  of(application: string): readonly FailedQuery[] {
    return this.#failures.filter((failure) => failure.application === application).sort((a, b) => b.queryId - a.queryId);
  }
}

/** Errors may be as long as inputs. Copies the beginning, as a slice would keep the whole text alive. */
const bounded = (text: string): string =>
  text.length <= maxTextLength ? text : Buffer.from(text.slice(0, maxTextLength)).toString();

const boundedError = ({ name, message, stack }: RemoteError): RemoteError => ({
  name: bounded(name),
  message: bounded(message),
  ...(stack === undefined ? {} : { stack: bounded(stack) }),
});
