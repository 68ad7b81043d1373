import { setTimeout } from 'node:timers/promises';
import { ClipperError, isErrorCode, messageOf } from '../errors.ts';

/** Posts JSON to a Clipper server, ours or Berkeley's. */
export class RestClient {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** The answer's JSON, or its text where it is none. Throws the server's own error, E_REFUSED or E_SERVER_UNREACHABLE. */
  async post(path: string, body: unknown, signal?: AbortSignal): Promise<unknown> {
    return this.#ask(
      path,
      { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
      signal,
    );
  }

  async get(path: string, signal?: AbortSignal): Promise<unknown> {
    return this.#ask(path, {}, signal);
  }

  /** Waits until nothing listens at the address any more. */
  async untilGone(): Promise<void> {
    for (;;) {
      const isThere = await fetch(this.url).then(
        () => true,
        () => false,
      );
      if (!isThere) return;
      await setTimeout(20);
    }
  }

  async #ask(path: string, request: RequestInit, signal: AbortSignal | undefined): Promise<unknown> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${this.url}${path}`, signal === undefined ? request : { ...request, signal });
      text = await response.text();
    } catch (error) {
      throw signal?.aborted === true
        ? new ClipperError('E_CANCELLED', `${path} was cancelled`, { cause: error })
        : unreachable(this.url, error);
    }
    if (!response.ok) throw remoteError(text, `${this.url}${path} answered ${response.status}`);
    // Clipper's own server says JSON of texts too.
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return isJson ? (parsed(text) ?? text) : text;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function unreachable(url: string, error: unknown): ClipperError {
  const { cause } = error as { cause?: unknown };
  const why = cause === undefined ? messageOf(error) : messageOf(cause);
  return new ClipperError('E_SERVER_UNREACHABLE', `No Clipper server answers at ${url}: ${why}. Start one with startClipper()`, {
    cause: error,
  });
}

/** The server's own error where it gave one: `{ code, message }` or, from queries, `{ error, cause, code }`. */
function remoteError(text: string, what: string): ClipperError {
  const { code, message, cause } = (parsed(text) ?? {}) as { code?: unknown; message?: unknown; cause?: unknown };
  if (isErrorCode(code)) return new ClipperError(code, String(message ?? cause));
  return new ClipperError('E_REFUSED', text === '' ? what : text);
}
