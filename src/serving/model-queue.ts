import { isClipperError, messageOf } from '../errors.ts';
import type { Output } from '../protocol/content.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import { Fifo } from '../util/fifo.ts';
import type { BatchSizePolicy } from './batch-size.ts';

/** What came of a query in a replica. */
export type QueryResult =
  | { readonly kind: 'answered'; readonly output: Output }
  | { readonly kind: 'lost'; readonly why: string };

/** A query that waits for a batch. Times are on the clock of performance.now(). */
export interface WaitingQuery {
  readonly input: Uint8Array;
  readonly receivedAt: number;
  readonly deadline: number;
  /** When a replica got it; undefined while it is queued. */
  sentAt: number | undefined;
  /** Whether it was answered already, for example by its deadline. */
  isSettled: boolean;
  /** Whether it was in flight once already, in a replica that went away. */
  isRetried: boolean;
  settle(result: QueryResult): void;
}

/** The queue of one model version, shared by its replicas: each has one batch in flight and takes the next when free. */
export class ModelQueue {
  readonly #waiting = new Fifo<WaitingQuery>();
  readonly #replicas = new Set<RpcReplica>();
  readonly #idle = new Set<RpcReplica>();
  readonly #policies = new WeakMap<RpcReplica, BatchSizePolicy>();
  readonly #choosePolicy: () => BatchSizePolicy;
  readonly #onBatch: (size: number) => void;
  #isScheduled = false;

  /** A replica's policy is chosen at its first batch, when the model is sure to be registered. */
  constructor(choosePolicy: () => BatchSizePolicy, onBatch: (size: number) => void) {
    this.#choosePolicy = choosePolicy;
    this.#onBatch = onBatch;
  }

  get replicaCount(): number {
    return this.#replicas.size;
  }

  enqueue(query: WaitingQuery): void {
    while (this.#waiting.peek()?.isSettled === true) this.#waiting.shift();
    this.#waiting.push(query);
    this.#schedule();
  }

  addReplica(replica: RpcReplica): void {
    this.#replicas.add(replica);
    this.#idle.add(replica);
    this.#schedule();
  }

  /** Sends no more to a replica. What it has in flight is answered, or fails with it. */
  removeReplica(replica: RpcReplica): void {
    this.#replicas.delete(replica);
    this.#idle.delete(replica);
  }

  /** Once per turn, so that the queries of one request go out together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    if (this.#waiting.size === 0) return;
    for (const replica of this.#idle) {
      const batch = this.#takeBatch(this.#policyOf(replica).size);
      if (batch.length === 0) return;
      this.#idle.delete(replica);
      void this.#run(replica, batch);
    }
  }

  #policyOf(replica: RpcReplica): BatchSizePolicy {
    const policy = this.#policies.get(replica) ?? this.#choosePolicy();
    this.#policies.set(replica, policy);
    return policy;
  }

  #takeBatch(size: number): WaitingQuery[] {
    const batch: WaitingQuery[] = [];
    const now = performance.now();
    while (batch.length < size) {
      const query = this.#waiting.shift();
      if (query === undefined) break;
      // An expired query is answered by its deadline; a replica need not see it.
      if (query.isSettled || query.deadline <= now) continue;
      query.sentAt = now;
      batch.push(query);
    }
    return batch;
  }

  async #run(replica: RpcReplica, batch: readonly WaitingQuery[]): Promise<void> {
    const sentAt = performance.now();
    this.#onBatch(batch.length);
    try {
      const latest = batch.reduce((most, { deadline }) => Math.max(most, deadline), sentAt);
      const inputs = batch.map(({ input }) => input);
      const { outputs } = await replica.predict(inputs, 2 * (latest - sentAt));
      this.#observe(replica, batch, sentAt);
      for (const [index, query] of batch.entries()) query.settle({ kind: 'answered', output: outputs[index] as Output });
    } catch (error) {
      this.#fail(batch, error);
    }
    if (!this.#replicas.has(replica)) return;
    this.#idle.add(replica);
    this.#schedule();
  }

  #observe(replica: RpcReplica, batch: readonly WaitingQuery[], sentAt: number): void {
    const earliest = batch.reduce((least, { deadline }) => Math.min(least, deadline), Number.POSITIVE_INFINITY);
    const latencyMs = performance.now() - sentAt;
    this.#policyOf(replica).observe({ size: batch.length, latencyMs, budgetMs: earliest - sentAt });
  }

  /** What was in flight in a replica that went away is tried once more elsewhere. */
  #fail(batch: readonly WaitingQuery[], error: unknown): void {
    const mayRetry = isClipperError(error) && error.code === 'E_REPLICA_LOST';
    const again = mayRetry ? batch.filter((query) => !query.isRetried && !query.isSettled) : [];
    for (const query of again) {
      query.isRetried = true;
      query.sentAt = undefined;
    }
    this.#waiting.unshift(again);
    for (const query of batch) if (!again.includes(query)) query.settle({ kind: 'lost', why: messageOf(error) });
    this.#schedule();
  }
}
