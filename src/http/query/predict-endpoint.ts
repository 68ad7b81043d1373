import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Registry } from '../../control/registry.ts';
import { asClipperError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { QueryFrontend } from '../../serving/query-frontend.ts';
import { withKey } from '../api-keys.ts';
import { bodyTooLarge } from '../rest-server.ts';
import { printAnswers } from './print-answers.ts';
import { describeQueryError } from './query-errors.ts';
import { readQuery } from './read-query.ts';

export interface PredictServices {
  readonly registry: Registry;
  readonly frontend: QueryFrontend;
  readonly maxBodyBytes: number;
  readonly log: Log;
}

/** The parsed URL of a request for predictions. */
interface PredictUrl {
  readonly application: string;
  readonly query: { readonly version?: string; readonly input_type?: string; readonly explain?: string };
}

const maxKnownUrls = 10_000;
const maxKnownLength = 256;

/**
 * Answers `POST /<application>/predict` without the framework, which would cost most of the time of each request. Answers are
 * written after all received requests are read, so that a client wakes once for many.
 */
export class PredictEndpoint {
  readonly #services: PredictServices;
  readonly #urls = new Map<string, PredictUrl>();
  #outbox: (() => void)[] = [];

  constructor(services: PredictServices) {
    this.#services = services;
  }

  /** Handles a request for predictions; returns false for any other. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const url = request.method === 'POST' ? this.#parse(request.url ?? '') : undefined;
    if (url === undefined) return false;
    const { maxBodyBytes } = this.#services;
    const chunks: Buffer[] = [];
    let bytes = 0;
    // A body that is too large is still read: some clients look for the answer only after sending all of it.
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes <= maxBodyBytes) chunks.push(chunk);
    });
    request.on('end', () => {
      if (bytes > maxBodyBytes) return this.#refuse(response, bodyTooLarge(maxBodyBytes));
      const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      this.#answer(url, { request, response, body });
    });
    return true;
  }

  #parse(text: string): PredictUrl | undefined {
    const known = this.#urls.get(text);
    if (known !== undefined) return known;
    const [, name, query] = /^\/([^/?#]+)\/predict\/?(?:\?(.*))?$/.exec(text) ?? [];
    if (name === undefined) return undefined;
    const url = { application: decoded(name), query: Object.fromEntries(new URLSearchParams(query)) };
    // Bounded: made-up URLs must not fill the memory.
    if (this.#urls.size >= maxKnownUrls) this.#urls.clear();
    if (text.length <= maxKnownLength) this.#urls.set(text, url);
    return url;
  }

  #answer(
    url: PredictUrl,
    { request, response, body }: { request: IncomingMessage; response: ServerResponse; body: Buffer },
  ): void {
    try {
      const application = withKey(this.#services.registry.knownApplication(url.application), request.headers);
      const asked = { mediaType: request.headers['content-type'], query: url.query, body };
      const { inputs, version, key = request.headers['clipper-key'] as string | undefined } = readQuery(application, asked);
      const isExplained = isOn(url.query.explain ?? request.headers['clipper-explain']);
      const answers = this.#services.frontend.query(application, inputs, { version, key });
      answers
        .then((all) => this.#send(response, 200, printAnswers(all, isExplained)))
        .catch((error) => this.#refuse(response, error));
    } catch (error) {
      this.#refuse(response, error);
    }
  }

  #refuse(response: ServerResponse, error: unknown): void {
    const known = asClipperError(error, 'E_INTERNAL');
    if (known.code === 'E_INTERNAL') this.#services.log.error({ err: error }, 'a query failed');
    this.#send(response, known.status, JSON.stringify(describeQueryError(known)));
  }

  #send(response: ServerResponse, status: number, body: string): void {
    this.#outbox.push(() => {
      const headers = ['Content-Type', 'application/json; charset=utf-8', 'Content-Length', String(Buffer.byteLength(body))];
      if (status === 401) headers.push('WWW-Authenticate', 'Bearer');
      response.writeHead(status, headers).end(body);
    });
    if (this.#outbox.length === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const all = this.#outbox;
    this.#outbox = [];
    for (const send of all) send();
  }
}

/** The decoded name of a URL; an invalid encoding stays as it is, and names nothing. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

const isOn = (flag: unknown): boolean => flag === '1' || flag === 'true';
