import { randomInt } from 'node:crypto';
import { type Message, Router } from 'zeromq';
import { ClipperError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import {
  type ContainerMessage,
  decodeContainerMessage,
  encodeServerMessage,
  messageIdOf,
  rpcVersion,
  type ServerMessage,
} from '../protocol/messages.ts';
import { type RpcSecurity, serverKeys } from './curve.ts';
import { type Announcement, RpcReplica } from './rpc-replica.ts';

const silenceMs = 30_000;
const checkMs = 1_000;
const probeDelayMs = 100;
/** A peer that sends a larger frame is disconnected, so that it can't exhaust memory. */
const maxFrameBytes = 256 * 2 ** 20;
/** After this time, a replica that was asked for its metadata and has not sent it is asked again. */
const askAgainMs = 2_000;
// A container that hears from us every 5 s sends no heartbeats. Limits the probes, or it would be dropped as silent.
const maxProbes = 4;

export interface RpcServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Left out: none. */
  readonly security?: RpcSecurity | undefined;
  readonly log: Log;
  readonly onConnected: (replica: RpcReplica) => void;
  /** `isHung`: the replica is still connected but doesn't respond. */
  readonly onLost: (replica: RpcReplica, isHung: boolean) => void;
}

/** The server's end of Clipper's container RPC: tracks connected replicas and sends batches to them. */
export class RpcServer implements AsyncDisposable {
  readonly #options: RpcServerOptions;
  readonly #socket = new Router({ linger: 0, handover: true, mandatory: true, sendTimeout: 0, maxMessageSize: maxFrameBytes });
  readonly #replicas = new Map<string, RpcReplica>();
  /** When each connection that has not announced itself was last asked to. */
  readonly #askedAt = new Map<string, number>();
  readonly #outbox: Array<{ readonly identity: string; readonly frames: Uint8Array[] }> = [];
  readonly #watch: NodeJS.Timeout;
  #sending = false;
  /** Settles when the socket is bound. While it binds, it can't receive or send. */
  #binding: Promise<void> = Promise.resolve();
  #probe: NodeJS.Timeout | undefined;
  // Random, because a replica may still answer requests of another server on this port, or those from before it announced
  // itself again.
  #nextMessageId = randomInt(2 ** 32);
  readonly #observed: Promise<void>;
  #received: Promise<void> = Promise.resolve();
  port = 0;
  /** The server's public key, if RPC is encrypted. */
  readonly serverKey: string | undefined;

  private constructor(options: RpcServerOptions) {
    this.#options = options;
    const keys = serverKeys(options.security ?? 'none');
    this.serverKey = keys?.publicKey;
    if (keys !== undefined) Object.assign(this.#socket, { curveServer: true, curveSecretKey: keys.secretKey });
    this.#watch = setInterval(() => this.#dropSilent(), checkMs);
    this.#observed = this.#observe();
  }

  /** Throws E_PORT_IN_USE, E_INVALID_OPTION for a security that isn't available. */
  static async listen(options: RpcServerOptions): Promise<RpcServer> {
    const server = new RpcServer(options);
    try {
      await server.#socket.bind(`tcp://${options.host}:${options.port === 0 ? '*' : options.port}`);
    } catch (error) {
      await server.close();
      const message = `The RPC port ${options.port} on ${options.host} can't be used: ${messageOf(error)}`;
      throw new ClipperError('E_PORT_IN_USE', `${message}. Choose another rpcPort (0 takes any free one)`, { cause: error });
    }
    server.port = Number(server.#socket.lastEndpoint?.split(':').at(-1));
    server.#received = server.#receive();
    return server;
  }

  /** Listens on the same port of another address of this machine. Throws E_PORT_IN_USE. */
  async alsoListenOn(host: string): Promise<void> {
    const bound = this.#binding.then(() => this.#socket.bind(`tcp://${host}:${this.port}`));
    this.#binding = bound.catch(() => {});
    await bound.catch((error: unknown) => {
      const message = `The RPC port ${this.port} on ${host} can't be used: ${messageOf(error)}`;
      throw new ClipperError('E_PORT_IN_USE', `${message}. Choose another rpcPort (0 takes any free one)`, { cause: error });
    });
  }

  get replicas(): readonly RpcReplica[] {
    return [...this.#replicas.values()];
  }

  /** Drops the replica of a supervised instance that has ended. */
  instanceEnded(instance: string, why: string): void {
    for (const [identity, replica] of this.#replicas) {
      if (replica.instance === instance) this.#drop(identity, why);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    for (const identity of [...this.#replicas.keys()]) this.#drop(identity, 'the server is closing');
    this.#socket.close();
    await Promise.all([this.#received, this.#observed]);
    clearTimeout(this.#probe);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #observe(): Promise<void> {
    const { events } = this.#socket;
    while (!events.closed) {
      const { type } = await events.receive().catch(() => ({ type: 'end' }));
      if (type === 'end') return;
      if (type === 'disconnect') this.#probe ??= setTimeout(() => this.#dropDisconnected(), probeDelayMs);
    }
  }

  async #receive(): Promise<void> {
    while (!this.#socket.closed) {
      let frames: Message[];
      try {
        frames = await this.#socket.receive();
      } catch (error) {
        if (this.#socket.closed) return;
        if (isBusy(error)) {
          await this.#binding;
          continue;
        }
        this.#options.log.error({ err: error }, 'receiving from replicas failed');
        continue;
      }
      this.#take(frames);
    }
  }

  #take([identityFrame, ...frames]: Message[]): void {
    const identity = (identityFrame ?? Buffer.alloc(0)).toString('latin1');
    try {
      this.#handle(identity, decodeContainerMessage(frames));
    } catch (error) {
      // Anything may connect to the port. Its messages must not disturb others.
      const replica = this.#replicas.get(identity);
      this.#options.log.warn({ err: error, replica: replica?.model }, 'a message was ignored');
      const messageId = messageIdOf(frames);
      if (messageId !== undefined) replica?.refuse(messageId, error);
    }
  }

  #handle(identity: string, message: ContainerMessage): void {
    const replica = this.#replicas.get(identity);
    replica?.heard();
    if (message.kind === 'heartbeat') {
      this.#send(identity, { kind: 'heartbeat', requestMetadata: replica === undefined && this.#isToBeAsked(identity) });
    } else if (message.kind === 'newContainer') {
      this.#admit(identity, message);
    } else if (replica?.settle(message) !== true) {
      this.#options.log.warn({ replica: replica?.model, messageId: message.messageId }, 'an answer to no question was ignored');
    }
  }

  /** Heartbeats that queued up for this server arrive together, and each request for metadata brings another announcement. */
  #isToBeAsked(identity: string): boolean {
    const now = performance.now();
    if (now - (this.#askedAt.get(identity) ?? Number.NEGATIVE_INFINITY) < askAgainMs) return false;
    this.#askedAt.set(identity, now);
    return true;
  }

  #admit(identity: string, announcement: Announcement): void {
    const model = `${announcement.modelName}:${announcement.modelVersion}`;
    if (announcement.rpcVersion !== rpcVersion) {
      const versions = { container: announcement.rpcVersion, server: rpcVersion };
      this.#options.log.error(
        { model, versions },
        `a container of ${model} was refused: it speaks RPC version ${versions.container}, the server ${versions.server}`,
      );
      return;
    }
    this.#askedAt.delete(identity);
    this.#drop(identity, 'it announced itself again');
    const { inputType, extensions } = announcement;
    const isPacked = extensions?.packed === true;
    const replica = new RpcReplica(announcement, this.#freeReplicaId(model), (request, inputs) => {
      const messageId = this.#nextMessageId;
      this.#nextMessageId = (messageId + 1) >>> 0;
      this.#send(identity, { kind: 'request', messageId, request, inputType, inputs }, isPacked);
      return messageId;
    });
    this.#replicas.set(identity, replica);
    this.#options.onConnected(replica);
  }

  #freeReplicaId(model: string): number {
    const taken = new Set(this.replicas.filter((replica) => replica.model === model).map(({ replicaId }) => replicaId));
    let id = 0;
    while (taken.has(id)) id++;
    return id;
  }

  #drop(identity: string, why: string, isHung = false): void {
    const replica = this.#replicas.get(identity);
    if (replica === undefined) return;
    this.#replicas.delete(identity);
    replica.lose(why);
    this.#options.onLost(replica, isHung);
  }

  /** The socket doesn't say whose connection closed, but sending to that replica fails now. */
  #dropDisconnected(): void {
    this.#probe = undefined;
    for (const [identity, replica] of this.#replicas) {
      if (replica.probes++ < maxProbes) this.#send(identity, { kind: 'heartbeat', requestMetadata: false });
    }
  }

  #dropSilent(): void {
    const now = performance.now();
    for (const [identity, askedAt] of this.#askedAt) if (now - askedAt > askAgainMs) this.#askedAt.delete(identity);
    for (const [identity, replica] of this.#replicas) {
      if (replica.heardAt < now - silenceMs) this.#drop(identity, `nothing was heard from it for ${silenceMs / 1_000} s`, true);
      else if (replica.isOverdue(now)) this.#drop(identity, 'it kept a batch for far longer than its objective', true);
    }
  }

  #send(identity: string, message: ServerMessage, isPacked = false): void {
    this.#outbox.push({ identity, frames: [Buffer.from(identity, 'latin1'), ...encodeServerMessage(message, isPacked)] });
    if (!this.#sending) void this.#flush();
  }

  /** zeromq takes one send at a time. */
  async #flush(): Promise<void> {
    this.#sending = true;
    for (let next = this.#outbox.shift(); next !== undefined; next = this.#outbox.shift()) {
      const { identity, frames } = next;
      try {
        await this.#socket.send(frames);
      } catch (error) {
        if (this.#socket.closed) break;
        if (isBusy(error)) {
          this.#outbox.unshift(next);
          await this.#binding;
        } else this.#drop(identity, sendFailure(error));
      }
    }
    this.#sending = false;
  }
}

/** Sending fails if the connection is closed, or if the peer doesn't read. */
const sendFailure = (error: unknown): string =>
  (error as NodeJS.ErrnoException).code === 'EHOSTUNREACH'
    ? 'its connection closed'
    : `sending to it failed: ${messageOf(error)}`;

const isBusy = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EBUSY';
