import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { ClipperError, isClipperError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Certificate } from './certificate.ts';

const keepAliveMs = 72_000;
/** The time limit for receiving a request. */
const requestMs = 300_000;
/** The time limit for its headers: idle connections cost an attacker nothing. */
const standardHeadersMs = 15_000;
const dropLogMs = 60_000;

export interface RestServerOptions {
  readonly log: Log;
  readonly maxBodyBytes: number;
  /** Connections at once; further ones are closed. */
  readonly maxConnections: number;
  /** Default: 15 s. */
  readonly headersMs?: number | undefined;
  /** Default: none, and the server speaks plain HTTP. */
  readonly certificate?: Certificate | undefined;
  /** Writes an error as an answer. */
  readonly sendError: (error: ClipperError, reply: FastifyReply) => unknown;
}

/** Handles requests before the framework; returns false to leave one to it. */
export interface DirectEndpoint {
  handle(request: IncomingMessage, response: ServerResponse): boolean;
}

/** An HTTP server whose handlers get the body as bytes, whatever its content type. */
export function createRestServer(options: RestServerOptions, first?: DirectEndpoint): FastifyInstance {
  const { maxBodyBytes, sendError } = options;
  const sendUnknownPath = (request: FastifyRequest, reply: FastifyReply): unknown =>
    sendError(new ClipperError('E_UNKNOWN_PATH', `There is nothing at ${request.method} ${request.url}`), reply);
  const server = fastify({
    serverFactory: (handler) => listener(handler, first, options),
    bodyLimit: maxBodyBytes,
    forceCloseConnections: true,
    clientErrorHandler: refuseConnection,
    frameworkErrors: (_error, request, reply) => void sendUnknownPath(request as FastifyRequest, reply as FastifyReply),
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 253 },
  });
  server.removeAllContentTypeParsers();
  // Fastify would refuse an invalid media type before it asks any parser.
  server.addHook('onRequest', (request, _reply, done) => {
    delete request.headers['content-type'];
    done();
  });
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  answerErrors(server, options);
  server.setNotFoundHandler(sendUnknownPath);
  return server;
}

function listener(handler: RequestListener, first: DirectEndpoint | undefined, options: RestServerOptions): Server {
  const { certificate, headersMs = standardHeadersMs, maxConnections } = options;
  const onRequest: RequestListener = (request, response) => {
    // Tells clients of an ending server to open a new connection.
    if (!server.listening) response.shouldKeepAlive = false;
    if (first?.handle(request, response) !== true) handler(request, response);
  };
  const times = { headersTimeout: headersMs, requestTimeout: requestMs, connectionsCheckingInterval: Math.ceil(headersMs / 3) };
  const server = certificate === undefined ? createServer(times, onRequest) : certificate.createServer(times, onRequest);
  server.maxConnections = maxConnections;
  logDrops(server, options);
  // Longer than proxies keep connections, so that the server doesn't close one that a proxy just reused.
  server.keepAliveTimeout = keepAliveMs;
  return server;
}

const drainMs = 5_000;
const lookEveryMs = 20;

/** Accepts no more connections, and closes open ones once their requests are answered, or after five seconds. */
export async function closeGently(server: FastifyInstance): Promise<void> {
  const closed = new AbortController();
  server.server.close(() => closed.abort());
  for (const end = performance.now() + drainMs; performance.now() < end && !closed.signal.aborted; ) {
    server.server.closeIdleConnections();
    await setTimeout(lookEveryMs, undefined, { signal: closed.signal }).catch(() => {});
  }
  await server.close();
}

/** Logs refused connections, but not each one: there may be very many. */
function logDrops(server: Server, { log, maxConnections }: RestServerOptions): void {
  let loggedAt = Number.NEGATIVE_INFINITY;
  server.on('drop', () => {
    if (performance.now() - loggedAt < dropLogMs) return;
    loggedAt = performance.now();
    log.warn({ maxConnections }, 'connections are refused: as many as may be are open');
  });
}

const statuses: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Answers bytes that are not HTTP in the shape of other errors, and closes the connection. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = statuses[error.code ?? ''] ?? '400 Bad Request';
  const body = JSON.stringify({
    error: 'Query processing error',
    cause: `The request can't be read as HTTP: ${error.message}`,
    code: 'E_INVALID_INPUT',
  });
  const head = [`HTTP/1.1 ${status}`, 'Content-Type: application/json'];
  socket.end(`${[...head, `Content-Length: ${Buffer.byteLength(body)}`, 'Connection: close'].join('\r\n')}\r\n\r\n${body}`);
}

/** Answers errors that handlers of this scope throw; an inner scope may have its own format. */
export function answerErrors(scope: FastifyInstance, { log, maxBodyBytes, sendError }: RestServerOptions): void {
  scope.setErrorHandler((error: unknown, request, reply) => {
    const known = asClipperError(error, maxBodyBytes);
    if (known.code === 'E_INTERNAL') log.error({ err: error, url: request.url }, 'a request failed');
    return sendError(known, reply);
  });
}

export const bodyTooLarge = (maxBodyBytes: number): ClipperError =>
  new ClipperError('E_BODY_TOO_LARGE', `The request's body is larger than the ${maxBodyBytes} bytes that are allowed`);

function asClipperError(error: unknown, maxBodyBytes: number): ClipperError {
  if (isClipperError(error)) return error;
  const { statusCode = 500 } = error as { statusCode?: number };
  if (statusCode === 413) return bodyTooLarge(maxBodyBytes);
  const code = statusCode >= 400 && statusCode < 500 ? 'E_INVALID_INPUT' : 'E_INTERNAL';
  return new ClipperError(code, messageOf(error), { cause: error });
}

/** Listens on a port, 0 for any free one, and returns the port. Throws E_PORT_IN_USE naming the option to change. */
export async function listen(server: FastifyInstance, address: { host: string; port: number }, option: string): Promise<number> {
  try {
    await server.listen(address);
  } catch (error) {
    await server.close();
    const message = `${address.host}:${address.port} can't be listened on: ${messageOf(error)}`;
    throw new ClipperError('E_PORT_IN_USE', `${message}. Choose another ${option} (0 takes any free one)`, { cause: error });
  }
  return (server.server.address() as { port: number }).port;
}
