import * as http from 'node:http';
import * as https from 'node:https';
import { setTimeout } from 'node:timers/promises';
import type { Call, Read } from '../contract/call.ts';
import { ClusterError, errorCodeHeader, QueryError } from '../contract/errors.ts';
import { ClipperError, errorOfMessage, isClipperError, isErrorCode, messageOf } from '../errors.ts';
import { z } from '../util/zod.ts';
import type { Trust } from './trust.ts';

type Headers = Readonly<Record<string, string>>;

interface Outgoing {
  readonly method: 'GET' | 'POST';
  readonly headers?: Headers;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal | undefined;
  readonly trust?: Trust | undefined;
}

export interface RestClientOptions {
  /** Reuses connections. A request on a closed one is sent again, so requests must be idempotent. */
  readonly keepAlive?: boolean;
  /** Sent with every request, such as credentials. */
  readonly headers?: Headers;
  /** Trusted certificates over https. Default: the system's. */
  readonly trust?: Trust | undefined;
}

/** Requests beyond this many wait for a connection. */
const maxSockets = 1_000;

/** A client of Clipper servers, ours or Berkeley's. Node's `http` handles several times as many small requests as fetch. */
export class RestClient {
  readonly url: string;
  readonly #agent: http.Agent;
  readonly #headers: Headers;
  readonly #trust: Trust | undefined;

  constructor(url: string, { keepAlive = false, headers = {}, trust }: RestClientOptions = {}) {
    this.url = url;
    this.#trust = trust;
    this.#headers = headers;
    const { Agent } = url.startsWith('https:') ? https : http;
    this.#agent = new Agent({ keepAlive, maxSockets });
  }

  /**
   * Asks an endpoint of the contract, and checks the answer by it. Throws what `post` does, and E_PROTOCOL for another answer.
   */
  async call<Body extends z.ZodType, Answer extends z.ZodType>(
    call: Call<Body, Answer>,
    body: z.input<Body>,
    signal?: AbortSignal,
  ): Promise<z.output<Answer>> {
    return checkAnswer(call.gives, await this.post(call.path, body, signal), `${this.url}${call.path}`);
  }

  /** The same for what is only read. */
  async read<Answer extends z.ZodType>(
    read: Read<Answer>,
    query: Readonly<Record<string, string>> = {},
  ): Promise<z.output<Answer>> {
    const parameters = Object.keys(query).length === 0 ? '' : `?${new URLSearchParams(query)}`;
    return checkAnswer(read.gives, await this.get(`${read.path}${parameters}`), `${this.url}${read.path}`);
  }

  /** The answer's JSON, or its text if it isn't JSON. Throws the server's own error, E_REFUSED or E_SERVER_UNREACHABLE. */
  post(path: string, body: unknown, signal?: AbortSignal, headers: Headers = {}): Promise<unknown> {
    const all = { ...headers, 'content-type': 'application/json' };
    return this.#ask(path, { method: 'POST', headers: all, body: JSON.stringify(body), signal });
  }

  /** The same for a body of bytes; the headers give its type. */
  postBytes(path: string, body: Uint8Array, headers: Headers): Promise<unknown> {
    return this.#ask(path, { method: 'POST', headers, body });
  }

  get(path: string, headers: Headers = {}): Promise<unknown> {
    return this.#ask(path, { method: 'GET', headers });
  }

  /** The lines of an answer as they arrive, for answers too large to hold. Throws what `post` does. */
  async *lines(path: string, signal?: AbortSignal): AsyncGenerator<string> {
    const response = await this.#open(path, { method: 'GET', signal });
    let rest = '';
    try {
      for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        yield* lines;
      }
    } catch (error) {
      throw unreachable(this.url, error);
    }
  }

  /** Waits until nothing listens at the address. */
  async untilGone(): Promise<void> {
    const isThere = (): Promise<boolean> =>
      this.#send('', { method: 'GET' }).then(
        (response) => {
          response.resume();
          return true;
        },
        () => false,
      );
    while (await isThere()) await setTimeout(20);
  }

  /** Closes idle connections. */
  close(): void {
    for (const socket of Object.values(this.#agent.freeSockets).flat()) socket?.destroy();
  }

  async #ask(path: string, request: Outgoing): Promise<unknown> {
    const response = await this.#open(path, request);
    const text = await textOf(response).catch((error: unknown) => {
      throw this.#failure(path, request, error);
    });
    // Berkeley's server labels plain text as JSON too.
    return response.headers['content-type']?.includes('json') === true ? (parsed(text) ?? text) : text;
  }

  /** The response to a request. Throws if it is an error. */
  async #open(path: string, request: Outgoing): Promise<http.IncomingMessage> {
    try {
      const response = await this.#send(path, request);
      const { statusCode: status = 0 } = response;
      if (status >= 200 && status < 300) return response;
      const code = response.headers[errorCodeHeader];
      throw remoteError(await textOf(response), code, `${this.url}${path} answered ${status}`);
    } catch (error) {
      throw isClipperError(error) ? error : this.#failure(path, request, error);
    }
  }

  async #send(path: string, request: Outgoing): Promise<http.IncomingMessage> {
    const headers = { ...this.#headers, ...request.headers };
    return exchange(new URL(`${this.url}${path}`), { ...request, headers, trust: this.#trust }, this.#agent);
  }

  #failure(path: string, { signal }: Outgoing, error: unknown): ClipperError {
    if (signal?.aborted === true) return new ClipperError('E_CANCELLED', `${path} was cancelled`, { cause: error });
    return unreachable(this.url, error);
  }
}

/** Sends a request on a connection of the agent; `false`: on a new one. */
function exchange(url: URL, outgoing: Outgoing, agent: http.Agent | false): Promise<http.IncomingMessage> {
  const { request } = url.protocol === 'https:' ? https : http;
  const { method, headers = {}, body, signal, trust } = outgoing;
  return new Promise((resolve, reject) => {
    let isAnswered = false;
    const sent = request(url, { method, headers, agent, ...trust, ...(signal === undefined ? {} : { signal }) }, (response) => {
      isAnswered = true;
      resolve(response);
    });
    sent.on('error', (error) => {
      // A server that refuses a large body may close the connection before all of it is sent.
      if (isAnswered) return;
      // The server closed an idle connection just as it was reused.
      if (sent.reusedSocket && signal?.aborted !== true) resolve(exchange(url, outgoing, false));
      else reject(error);
    });
    sent.end(body);
  });
}

function textOf(response: http.IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    response.once('end', () => resolve(text)).once('error', reject);
  });
}

/** Throws E_PROTOCOL for an answer that doesn't match the contract. */
export function checkAnswer<Answer extends z.ZodType>(gives: Answer, answer: unknown, from: string): z.output<Answer> {
  const { data, error } = gives.safeParse(answer);
  if (error === undefined) return data as z.output<Answer>;
  const message = `${from} gave an answer that this client does not understand: ${z.prettifyError(error)}`;
  throw new ClipperError('E_PROTOCOL', message, { cause: error });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function unreachable(url: string, error: unknown): ClipperError {
  // If a name has several addresses, the error covers all of them and has no message.
  const why = messageOf(error) || (error as NodeJS.ErrnoException).code;
  return new ClipperError('E_SERVER_UNREACHABLE', `No Clipper server answers at ${url}: ${why}. ${nextStep(url, error)}`, {
    cause: error,
  });
}

/** A next step by the error: an untrusted certificate, plain http to an https port, or no server. */
function nextStep(url: string, error: unknown): string {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (/CERT|ALTNAME|ISSUER|SIGNATURE/.test(code))
    return 'Give connectClipper the `ca` that signed its certificate, and the name that it is for';
  if (code === 'ECONNRESET' && url.startsWith('http:')) return 'If it has `tls`, its address is https://…';
  return 'Start one with startClipper()';
}

/**
 * The server's own error, if it gave one: `{ code, message }`, from queries `{ error, cause, code }`, or a text with its code in
 * a header.
 */
function remoteError(text: string, ofText: unknown, what: string): ClipperError {
  if (isErrorCode(ofText)) return errorOfMessage(ofText, text);
  const answer = parsed(text);
  const { data: ours } = ClusterError.safeParse(answer);
  if (ours !== undefined) return new ClipperError(ours.code, ours.message, { fix: ours.fix });
  const { data: query } = QueryError.safeParse(answer);
  if (query !== undefined) return new ClipperError(query.code, query.cause, { fix: query.fix });
  return new ClipperError('E_REFUSED', text === '' ? what : text);
}
