import { writeFile } from 'node:fs/promises';
import { Dealer } from 'zeromq';
import { messageOf } from '../src/errors.ts';
import type { Output, OutputForm } from '../src/protocol/content.ts';
import { decodeInput, type InputType } from '../src/protocol/input-types.ts';
import {
  type ContainerMessage,
  decodeServerMessage,
  encodeContainerMessage,
  readRemoteError,
  rpcVersion,
  type ServerMessage,
} from '../src/protocol/messages.ts';
import { type ContainerEnvironment, readEnvironment } from './environment.ts';
import { type FeedbackFunction, takeFeedback } from './feedback.ts';
import { type Answerer, containerAnswers, ModelContainer } from './model-container.ts';

type Request = Extract<ServerMessage, { kind: 'request' }>;

const quietMs = 5_000;
const silenceMs = 30_000;

/** How Clipper's own container prints its input type. */
const printedType = (type: InputType): string => (type === 'integers' ? 'ints' : type);

/** Serves a model container to a Clipper server over its container RPC. */
export class RPCService {
  readonly #environment: ContainerEnvironment;
  readonly #form: OutputForm;
  #answers: Answerer = async () => [];
  #feedback: FeedbackFunction | undefined;
  #socket: Dealer | undefined;
  #sending: Promise<void> = Promise.resolve();
  #working: Promise<void> = Promise.resolve();
  #learning: Promise<void> = Promise.resolve();
  #stopping = false;
  #ready = false;

  /**
   * Omitted options come from the CLIPPER_ environment variables. Throws E_INVALID_OPTION with the name of a missing variable.
   */
  constructor(options: Partial<ContainerEnvironment> = {}) {
    const { modelName, modelVersion } = options;
    const known = { CLIPPER_MODEL_NAME: modelName, CLIPPER_MODEL_VERSION: modelVersion };
    this.#environment = { ...readEnvironment({ ...known, ...process.env }), ...options };
    const { errorsExtension, packedExtension } = this.#environment;
    this.#form = errorsExtension && packedExtension ? 'packed' : errorsExtension ? 'statuses' : 'clipper';
  }

  /** Serves until `stop()` or SIGTERM, and reconnects indefinitely. Passes feedback to `feedback` if given. */
  async start(model: ModelContainer | Answerer, feedback?: FeedbackFunction): Promise<void> {
    this.#feedback = feedback;
    this.#answers = model instanceof ModelContainer ? containerAnswers(model) : model;
    const stop = (): void => void this.stop();
    process.on('SIGTERM', stop).on('SIGINT', stop);
    try {
      while (!this.#stopping) await this.#session();
    } finally {
      process.off('SIGTERM', stop).off('SIGINT', stop);
    }
  }

  /** Finishes the current batch, sends its answer and closes the connection. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#working;
    await this.#learning;
    await this.#sending;
    this.#socket?.close();
  }

  /** One connection, from the first heartbeat until the server has been silent for too long. */
  async #session(): Promise<void> {
    const { host, port, curve } = this.#environment;
    const socket = new Dealer({ receiveTimeout: quietMs, linger: 1_000, ipv6: host.includes(':'), ...curve });
    this.#socket = socket;
    // Must start before connecting, or it misses the event of the first connection.
    void this.#greet(socket);
    socket.connect(`tcp://${host.includes(':') ? `[${host}]` : host}:${port}`);
    this.#send({ kind: 'heartbeat' });
    let heardAt = performance.now();
    while (!socket.closed && performance.now() - heardAt < silenceMs) {
      const frames = await this.#receive(socket);
      if (frames === undefined) this.#send({ kind: 'heartbeat' });
      else {
        heardAt = performance.now();
        this.#handle(frames);
      }
    }
    if (!socket.closed) {
      console.error(`No word from the server at ${host}:${port} for ${silenceMs / 1_000} s: connecting again`);
      socket.close();
    }
  }

  /** Sends a heartbeat as soon as the server is back. The initial heartbeat is sent only once. */
  async #greet(socket: Dealer): Promise<void> {
    const { events } = socket;
    for (let isFirst = true; !events.closed; ) {
      const { type } = await events.receive().catch(() => ({ type: 'end' }));
      if (type === 'end') return;
      if (type !== 'handshake') continue;
      if (!isFirst) this.#send({ kind: 'heartbeat' });
      isFirst = false;
    }
  }

  /** Returns the next message, or undefined if none arrived in time. */
  async #receive(socket: Dealer): Promise<Uint8Array[] | undefined> {
    try {
      return await socket.receive();
    } catch (error) {
      if (socket.closed || (error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
      throw error;
    }
  }

  #handle(frames: readonly Uint8Array[]): void {
    let message: ServerMessage;
    try {
      message = decodeServerMessage(frames);
    } catch (error) {
      console.error(`A message from the server was ignored: ${messageOf(error)}`);
      return;
    }
    if (message.kind === 'heartbeat') {
      if (message.requestMetadata) this.#announce();
      return;
    }
    // Drop the message: the server notices when the connection closes.
    if (this.#stopping) return;
    const request = message;
    // Feedback runs separately, so that queries don't wait for a function that learns.
    if (request.request === 'feedback') this.#learning = this.#learning.then(() => this.#learn(request));
    else this.#working = this.#working.then(() => this.#work(request));
  }

  #announce(): void {
    const { modelName, modelVersion, inputType, errorsExtension, instance } = this.#environment;
    const isPacked = this.#form === 'packed' ? { packed: true } : {};
    const takesFeedback = this.#feedback === undefined ? {} : { feedback: true };
    const extensions = { errors: true, ...isPacked, ...takesFeedback, ...(instance === undefined ? {} : { instance }) };
    this.#send({
      kind: 'newContainer',
      modelName,
      modelVersion,
      inputType,
      rpcVersion,
      ...(errorsExtension ? { extensions } : {}),
    });
    if (this.#ready) return;
    this.#ready = true;
    console.log(`Serving predictions for ${printedType(inputType)} input type.`);
    // Clipper waits for this file. On a read-only root file system, failing to write it must not stop the replica.
    writeFile(this.#environment.readyFile, 'READY').catch((error: unknown) => {
      console.error(`The ready file could not be written: ${messageOf(error)}`);
    });
  }

  /** Clipper waits for an answer to every message. This one lists the failures, usually none. */
  async #learn({ messageId, ...given }: Request): Promise<void> {
    // A server without the extension means something else by feedback.
    const feedback = this.#environment.errorsExtension ? this.#feedback : undefined;
    const failures =
      feedback === undefined ? [] : await takeFeedback(feedback, given).catch((error) => [failed(messageOf(error))]);
    for (const output of failures) logFailure('feedback', output);
    this.#send({ kind: 'response', messageId, outputs: failures });
  }

  async #work({ messageId, inputType, inputs }: Request): Promise<void> {
    const began = performance.now();
    const outputs = await this.#answer(inputType, inputs);
    this.#send({ kind: 'response', messageId, outputs, computeMicros: 1_000 * (performance.now() - began) });
  }

  async #answer(inputType: InputType, inputs: readonly Uint8Array[]): Promise<Output[]> {
    const expected = this.#environment.inputType;
    const wrongType = `This container serves ${expected}, but the server sent ${inputType}`;
    const outputs = inputType === expected ? await this.#predict(inputs) : inputs.map(() => failed(wrongType));
    for (const output of outputs) {
      if (output.failed) logFailure('predict', output);
    }
    return this.#environment.errorsExtension ? outputs : outputs.map(withoutExtension);
  }

  async #predict(inputs: readonly Uint8Array[]): Promise<Output[]> {
    const { inputType } = this.#environment;
    try {
      const values = inputs.map((input) => decodeInput(inputType, input));
      return await this.#answers(inputType, values);
    } catch (error) {
      return inputs.map(() => failed(messageOf(error)));
    }
  }

  #send(message: ContainerMessage): void {
    const socket = this.#socket;
    const frames = encodeContainerMessage(message, this.#form);
    this.#sending = this.#sending.then(async () => {
      try {
        if (socket !== undefined && !socket.closed) await socket.send(frames);
      } catch (error) {
        console.error(`A message to the server could not be sent: ${messageOf(error)}`);
      }
    });
  }
}

const failed = (message: string): Output => ({ text: JSON.stringify({ name: 'Error', message }), failed: true });

function logFailure(what: string, { text }: Output): void {
  const { name, message, stack } = readRemoteError(text);
  console.error(`${what} failed: ${stack ?? `${name}: ${message}`}`);
}

/**
 * Clipper has no error answers. An output that describes the error is better than a dead container and an uninformed caller.
 */
function withoutExtension(output: Output): Output {
  if (!output.failed) return output;
  const { name, message } = readRemoteError(output.text);
  return { text: JSON.stringify({ error: `${name}: ${message}` }), failed: false };
}
