import { ClipperError, messageOf } from '../errors.ts';
import type { Outputs } from '../protocol/content.ts';
import { encodeFeedback, type LabelledInput } from '../protocol/feedback.ts';
import type { InputType } from '../protocol/input-types.ts';
import type { ContainerMessage, ServerMessage } from '../protocol/messages.ts';

type Request = Extract<ServerMessage, { kind: 'request' }>;
export type Announcement = Extract<ContainerMessage, { kind: 'newContainer' }>;

/** Sends a request to the replica and returns the message id that its response will have. */
export type SendRequest = (request: Request['request'], inputs: readonly Uint8Array[]) => number;

interface PendingRequest {
  /** How many outputs are expected; undefined: any number. */
  readonly size: number | undefined;
  /** Who takes longer, once it has answered what came before, is taken for hung. */
  readonly patienceMs: number;
  /** On the clock of performance.now(). */
  readonly sentAt: number;
  readonly resolve: (answer: Outputs) => void;
  readonly reject: (error: ClipperError) => void;
}

/** However short the objective, a replica may have its reasons for this long. */
const leastPatienceMs = 60_000;

/** A replica that is connected and has announced its model. */
export class RpcReplica {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly inputType: InputType;
  /** The supervisor's name for it; none for a container that was started by hand. */
  readonly instance: string | undefined;
  /** Counts from 0 per model version. */
  readonly replicaId: number;
  /** How many batches it may have at a time: a replica of ours keeps the next at hand while it works on one. */
  readonly maxInFlight: 1 | 2;
  readonly takesFeedback: boolean;
  heardAt = performance.now();
  /** How often its connection was tried since it was heard last. */
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

  /** Whether it has worked on a batch for longer than anyone has patience for. */
  isOverdue(now: number): boolean {
    for (const { patienceMs, sentAt } of this.#pending.values()) {
      // It works on them in their order, so that the others wait for this one.
      if (patienceMs !== Number.POSITIVE_INFINITY) return now > Math.max(sentAt, this.#answeredAt) + patienceMs;
    }
    return false;
  }

  /** One output per input, in order. Rejects with E_REPLICA_LOST when the replica goes away, or hangs, first. */
  predict(inputs: readonly Uint8Array[], patienceMs: number = leastPatienceMs): Promise<Outputs> {
    return this.#ask('predict', inputs, { size: inputs.length, patienceMs: Math.max(leastPatienceMs, patienceMs) });
  }

  /** Gives feedback to a replica that takes it; answered with one output for each that its function failed on. */
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

  /** To be told of each of its messages. */
  heard(): void {
    this.heardAt = performance.now();
    this.probes = 0;
  }

  /** Takes a response; false where no batch waits for it. A response of the wrong size fails its whole batch. */
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

  /** Fails the batch whose response could not be read. */
  refuse(messageId: number, error: unknown): void {
    const batch = this.#pending.get(messageId);
    this.#pending.delete(messageId);
    this.#answeredAt = performance.now();
    const message = `Replica ${this.model}:${this.replicaId} answered what can't be read: ${messageOf(error)}`;
    batch?.reject(new ClipperError('E_PROTOCOL', message, { cause: error }));
  }

  /** Fails what is in flight and everything asked from now on. */
  lose(why: string): void {
    this.#lost = `Replica ${this.model}:${this.replicaId} is gone: ${why}`;
    for (const { reject } of this.#pending.values()) reject(new ClipperError('E_REPLICA_LOST', this.#lost));
    this.#pending.clear();
  }
}
