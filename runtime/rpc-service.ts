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

  /** Left out, options come from the CLIPPER_ environment variables. Throws E_INVALID_OPTION naming a missing one. */
  constructor(options: Partial<ContainerEnvironment> = {}) {
    const { modelName, modelVersion } = options;
    const known = { CLIPPER_MODEL_NAME: modelName, CLIPPER_MODEL_VERSION: modelVersion };
    this.#environment = { ...readEnvironment({ ...known, ...process.env }), ...options };
    const { errorsExtension, packedExtension } = this.#environment;
    this.#form = errorsExtension && packedExtension ? 'packed' : errorsExtension ? 'statuses' : 'clipper';
  }

  /** Serves until `stop()` or SIGTERM; reconnects for as long as it takes. Feedback goes to `feedback`, where it is given. */
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

  /** Finishes the batch at hand, sends its answer and closes. */
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
    // Before it connects, or its first connection is not told of.
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

  /** Says at once that it is there when the server comes back: the heartbeat at first is only sent once. */
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

  /** The next message, or undefined where none came in time. */
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
    // Of what is not taken any more the server learns when the connection closes.
    if (this.#stopping) return;
    const request = message;
    // Apart from queries, which must not wait for a function that learns.
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
    // Clipper looks for this file; under a read-only root its absence must not stop the replica.
    writeFile(this.#environment.readyFile, 'READY').catch((error: unknown) => {
      console.error(`The ready file could not be written: ${messageOf(error)}`);
    });
  }

  /** Answers what failed, mostly nothing: Clipper waits for an answer to every message. */
  async #learn({ messageId, ...given }: Request): Promise<void> {
    // A server that was not told of the extension means something else by feedback.
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

/** Clipper has no error answer; an output that says so beats a dead container and a caller who learns nothing. */
function withoutExtension(output: Output): Output {
  if (!output.failed) return output;
  const { name, message } = readRemoteError(output.text);
  return { text: JSON.stringify({ error: `${name}: ${message}` }), failed: false };
}
