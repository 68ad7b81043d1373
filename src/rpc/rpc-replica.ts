import { ClipperError, messageOf } from '../errors.ts';
import type { Outputs } from '../protocol/content.ts';
import { encodeFeedback, type LabelledInput } from '../protocol/feedback.ts';
import type { InputType } from '../protocol/input-types.ts';
import type { ContainerMessage, ServerMessage } from '../protocol/messages.ts';

type Request = Extract<ServerMessage, { kind: 'request' }>;
export type Announcement = Extract<ContainerMessage, { kind: 'newContainer' }>;

/** Sends a request to the replica. Returns the message id of the response to come. */
export type SendRequest = (request: Request['request'], inputs: readonly Uint8Array[]) => number;

interface PendingRequest {
  /** The expected number of outputs; undefined: any. */
  readonly size: number | undefined;
  /** A replica that works on the request for longer than this counts as hung. */
  readonly patienceMs: number;
  /** On the clock of performance.now(). */
  readonly sentAt: number;
  readonly resolve: (answer: Outputs) => void;
  readonly reject: (error: ClipperError) => void;
}

/** The shortest patience, however short the objective: a replica may have good reasons to be slow. */
const leastPatienceMs = 60_000;

/** A connected replica that has announced its model. */
export class RpcReplica {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly inputType: InputType;
  /** The supervisor's name for the replica; undefined for a container that was started by hand. */
  readonly instance: string | undefined;
  /** Counts from 0 for each model version. */
  readonly replicaId: number;
  /** How many batches it may have at a time. Our replicas keep the next batch ready while they work on one. */
  readonly maxInFlight: 1 | 2;
  readonly takesFeedback: boolean;
  heardAt = performance.now();
  /** How many probes were sent since its last message. */
  probes = 0;
  readonly #send: SendRequest;
  readonly #pending = new Map<number, PendingRequest>();
  #answeredAt = 0;
  #lost: string | undefined;

  constructor(announcement: Announcement, replicaId: number, send: SendRequest) {
    this.modelName = announcement.modelName;
    this.modelVersion = announcement.modelVersion;
    this.inputType = announcement.inputType;
    this.instance = announcement.extensions?.instance;
    this.replicaId = replicaId;
    this.maxInFlight = announcement.extensions?.packed === true ? 2 : 1;
    this.takesFeedback = announcement.extensions?.feedback === true;
    this.#send = send;
  }

  /** `name:version`. */
  get model(): string {
    return `${this.modelName}:${this.modelVersion}`;
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  get hasAnswered(): boolean {
    return this.#answeredAt > 0;
  }

  /** Whether it has worked on a batch for longer than its patience. */
  isOverdue(now: number): boolean {
    for (const { patienceMs, sentAt } of this.#pending.values()) {
      // It works on batches in order, so the others wait for this one.
      if (patienceMs !== Number.POSITIVE_INFINITY) return now > Math.max(sentAt, this.#answeredAt) + patienceMs;
    }
    return false;
  }

  /** Returns one output per input, in order. Rejects with E_REPLICA_LOST if the replica disconnects or hangs first. */
  predict(inputs: readonly Uint8Array[], patienceMs: number = leastPatienceMs): Promise<Outputs> {
    return this.#ask('predict', inputs, { size: inputs.length, patienceMs: Math.max(leastPatienceMs, patienceMs) });
  }

  /** Sends feedback to a replica that takes it. Returns one output for each item that its function failed on. */
  feedback(items: readonly LabelledInput[]): Promise<Outputs> {
    return this.#ask('feedback', encodeFeedback(items), { size: undefined, patienceMs: Number.POSITIVE_INFINITY });
  }

  #ask(
    request: Request['request'],
    inputs: readonly Uint8Array[],
    expected: Pick<PendingRequest, 'size' | 'patienceMs'>,
  ): Promise<Outputs> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) return reject(new ClipperError('E_REPLICA_LOST', this.#lost));
      const sentAt = performance.now();
      this.#pending.set(this.#send(request, inputs), { ...expected, sentAt, resolve, reject });
    });
  }

  /** Call on each of its messages. */
  heard(): void {
    this.heardAt = performance.now();
    this.probes = 0;
  }

  /** Handles a response. Returns false if no batch waits for it. A response of the wrong size fails its whole batch. */
  settle({ messageId, ...answer }: Extract<ContainerMessage, { kind: 'response' }>): boolean {
    const batch = this.#pending.get(messageId);
    if (batch === undefined) return false;
    this.#pending.delete(messageId);
    this.#answeredAt = performance.now();
    const { length } = answer.outputs;
    if (batch.size === undefined || length === batch.size) batch.resolve(answer);
    else {
      const message = `Replica ${this.model}:${this.replicaId} answered ${length} outputs to ${batch.size} inputs`;
      batch.reject(new ClipperError('E_PROTOCOL', message));
    }
    return true;
  }

  /** Fails a batch whose response is malformed. */
  refuse(messageId: number, error: unknown): void {
    const batch = this.#pending.get(messageId);
    this.#pending.delete(messageId);
    this.#answeredAt = performance.now();
    const message = `Replica ${this.model}:${this.replicaId} answered what can't be read: ${messageOf(error)}`;
    batch?.reject(new ClipperError('E_PROTOCOL', message, { cause: error }));
  }

  /** Fails all requests in flight, and all later ones. */
  lose(why: string): void {
    this.#lost = `Replica ${this.model}:${this.replicaId} is gone: ${why}`;
    for (const { reject } of this.#pending.values()) reject(new ClipperError('E_REPLICA_LOST', this.#lost));
    this.#pending.clear();
  }
}
