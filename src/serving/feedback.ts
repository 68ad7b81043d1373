import type { Registry } from '../control/registry.ts';
import type { Application } from '../control/state-store.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { LabelledInput } from '../protocol/feedback.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import { Fifo } from '../util/fifo.ts';
import type { FeedbackStore } from './feedback-store.ts';

/** A stored feedback record. */
export interface StoredFeedback {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly uid: number;
  /** The input as JSON. */
  readonly input: unknown;
  readonly label: number;
}

export interface FeedbackParts {
  readonly registry: Registry;
  readonly metrics: Metrics;
  readonly store: FeedbackStore;
  readonly replicas: () => readonly RpcReplica[];
}

/** Takes the right answers to predictions: stores them, and passes them to the functions that learn from them. */
export class Feedback {
  readonly #parts: FeedbackParts;
  readonly #queues = new WeakMap<RpcReplica, FeedbackQueue>();

  constructor(parts: FeedbackParts) {
    this.#parts = parts;
  }

  /** Resolves when the feedback is stored and queued for each replica of the linked model's current version that takes it. */
  async receive(application: Application, given: Omit<StoredFeedback, 'time'>, input: Uint8Array): Promise<void> {
    const { store, metrics, registry } = this.#parts;
    const { name } = application;
    await store.append(name, { time: new Date().toISOString(), ...given });
    // The application may have been deleted in the meantime.
    if (registry.application(name) !== undefined) metrics.application(name).feedback.add();
    for (const replica of this.#learners(application)) this.#queueOf(replica).push({ input, label: given.label });
  }

  /** An application's stored feedback as JSON lines, oldest first. */
  read(application: Application): AsyncIterable<Buffer> {
    return this.#parts.store.read(application.name);
  }

  forget(application: string): Promise<void> {
    return this.#parts.store.delete(application);
  }

  #learners(application: Application): readonly RpcReplica[] {
    const { registry, replicas } = this.#parts;
    const [model] = registry.linkedModels(application.name);
    if (model === undefined) return [];
    const version = registry.currentVersion(model);
    const isLearner = ({ modelName, modelVersion, inputType, takesFeedback }: RpcReplica): boolean =>
      takesFeedback && modelName === model && modelVersion === version && inputType === application.inputType;
    return replicas().filter(isLearner);
  }

  #queueOf(replica: RpcReplica): FeedbackQueue {
    const queue = this.#queues.get(replica) ?? new FeedbackQueue(replica, this.#parts.metrics);
    this.#queues.set(replica, queue);
    return queue;
  }
}

const maxMessageBytes = 2 ** 20;
const maxWaitingBytes = 64 * 2 ** 20;

/** Feedback for one replica. Sends in order, one message at a time, so that a query never waits behind much feedback. */
class FeedbackQueue {
  readonly #replica: RpcReplica;
  readonly #metrics: Metrics;
  readonly #waiting = new Fifo<LabelledInput>();
  #waitingBytes = 0;
  #isSending = false;

  constructor(replica: RpcReplica, metrics: Metrics) {
    this.#replica = replica;
    this.#metrics = metrics;
  }

  push(item: LabelledInput): void {
    if (this.#waitingBytes + item.input.byteLength > maxWaitingBytes) return this.#failed(1);
    this.#waiting.push(item);
    this.#waitingBytes += sizeOf(item);
    if (!this.#isSending) void this.#send();
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    while (this.#waiting.size > 0) {
      const items = this.#take();
      try {
        const { outputs } = await this.#replica.feedback(items);
        if (outputs.length > 0) this.#failed(outputs.length);
      } catch {
        // The replica is lost. Feedback that comes before its removal fails the same way.
        this.#failed(items.length);
      }
    }
    this.#isSending = false;
  }

  /** At least one, and as many more as fit in a message. */
  #take(): readonly LabelledInput[] {
    const items: LabelledInput[] = [];
    let bytes = 0;
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      bytes += sizeOf(next);
      if (items.length > 0 && bytes > maxMessageBytes) break;
      this.#waitingBytes -= sizeOf(next);
      items.push(next);
      this.#waiting.shift();
    }
    return items;
  }

  #failed(count: number): void {
    this.#metrics.model(this.#replica.model).feedbackFailures.add(count);
  }
}

/** Includes the overhead of an item, so that empty inputs count too. */
const sizeOf = ({ input }: LabelledInput): number => input.byteLength + 64;
