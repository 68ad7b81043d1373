import { connect, type Socket } from 'node:net';
import { quantile } from './statistics.ts';

/** A load of POSTs over kept-alive connections, in which each sends the next request when it has its answer. */
export interface Load {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  readonly body: () => string | Buffer;
  readonly contentType?: string;
  /** Requests a second, whether or not those before are answered; left out: as fast as the connections take them. */
  readonly rate?: number;
}

export interface LoadResult {
  /** Answered requests a second. */
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  /** Answers that held a default output. */
  readonly defaults: number;
  readonly requests: number;
}

/** One connection. A benchmark of a few microseconds a request needs a client that takes less than those. */
class Connection {
  readonly #socket: Socket;
  readonly #onAnswer: (connection: Connection, status: string, body: string) => void;
  #received = '';
  sentAt = 0;

  constructor(socket: Socket, onAnswer: (connection: Connection, status: string, body: string) => void) {
    this.#socket = socket.setNoDelay(true);
    this.#onAnswer = onAnswer;
    socket.setEncoding('latin1').on('data', (text: string) => this.#take(text));
  }

  send(head: string, body: string | Buffer): void {
    this.sentAt = performance.now();
    if (typeof body === 'string') {
      this.#socket.write(`${head}${body.length}\r\n\r\n${body}`, 'latin1');
      return;
    }
    this.#socket.cork();
    this.#socket.write(`${head}${body.length}\r\n\r\n`, 'latin1');
    this.#socket.write(body);
    this.#socket.uncork();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    this.#received = this.#received === '' ? text : this.#received + text;
    const end = this.#received.indexOf('\r\n\r\n');
    if (end === -1) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#received)?.[1]);
    if (this.#received.length < end + 4 + length) return;
    const received = this.#received;
    this.#received = '';
    this.#onAnswer(this, received.slice(9, 12), received.slice(end + 4));
  }
}

/** Runs a load; throws where an answer is not a success. */
export async function load(options: Load): Promise<LoadResult> {
  const { hostname, port, pathname, search } = new URL(options.url);
  const head = `POST ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: ${options.contentType ?? 'application/json'}\r\nContent-Length: `;
  const latencies: number[] = [];
  let [defaults, failure, isOver] = [0, '', false];
  const idle: Connection[] = [];
  const onAnswer = (connection: Connection, status: string, body: string): void => {
    latencies.push(performance.now() - connection.sentAt);
    if (status !== '200') failure = `${status}: ${body.slice(0, 200)}`;
    if (body.includes('"default":true')) defaults++;
    if (options.rate !== undefined) idle.push(connection);
    else if (!isOver) connection.send(head, options.body());
  };
  const all = await Promise.all(
    Array.from({ length: options.connections }, async () => {
      const socket = connect(Number(port), hostname);
      await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      return new Connection(socket, onAnswer);
    }),
  );
  const began = performance.now();
  if (options.rate === undefined) for (const connection of all) connection.send(head, options.body());
  else idle.push(...all);
  let sent = 0;
  while (performance.now() - began < options.seconds * 1_000) {
    await new Promise((resolve) => setTimeout(resolve, options.rate === undefined ? 50 : 1));
    const due = options.rate === undefined ? 0 : (options.rate * (performance.now() - began)) / 1_000;
    while (sent < due && idle.length > 0) {
      sent++;
      idle.pop()?.send(head, options.body());
    }
  }
  isOver = true;
  const seconds = (performance.now() - began) / 1_000;
  const requests = latencies.length;
  for (const connection of all) connection.close();
  if (failure !== '') throw new Error(`${options.url} answered ${failure}`);
  return { rate: requests / seconds, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), defaults, requests };
}
