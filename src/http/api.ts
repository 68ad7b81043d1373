import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { packageVersion } from '../util/package-files.ts';
import { printOpenApi } from './openapi.ts';

/** What a body holds, by media type; a schema alone stands for JSON. */
export type Content = z.ZodType | Readonly<Record<string, z.ZodType>>;

/** One endpoint, as it is served and as the API's document describes it. */
export interface Endpoint {
  readonly method: 'GET' | 'POST';
  /** With its parameters in braces: `/{application}/predict`. */
  readonly path: string;
  /** What clients generated from the document call it; unique. */
  readonly name: string;
  readonly tag: string;
  readonly summary: string;
  /** Request headers that mean something to it. */
  readonly headers?: Readonly<Record<string, z.ZodType>>;
  readonly body?: Content;
  /** By status: `200`, `4XX`. */
  readonly answers: Readonly<Record<string, Content>>;
}

type Handler<P> = (request: FastifyRequest<{ Params: P }>, reply: FastifyReply) => unknown;

/** The endpoints of one port: serves them, and a document of them at `/openapi.json`. */
export class Api {
  readonly #server: FastifyInstance;
  readonly #endpoints: Endpoint[];

  constructor(server: FastifyInstance, endpoints: Endpoint[] = []) {
    this.#server = server;
    this.#endpoints = endpoints;
  }

  /** The same API, for endpoints of an inner scope. */
  within(scope: FastifyInstance): Api {
    return new Api(scope, this.#endpoints);
  }

  serve<P = unknown>(endpoint: Endpoint, handler: Handler<P>): void {
    this.describe(endpoint);
    const url = endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1');
    this.#server.route<{ Params: P }>({
      method: endpoint.method,
      url,
      handler: async (request, reply) => handler(request, reply),
    });
  }

  /** Adds endpoints to the document that are served elsewhere. */
  describe(...endpoints: readonly Endpoint[]): void {
    this.#endpoints.push(...endpoints);
  }

  /** Serves the document. `more` gives the endpoints that come and go. */
  serveDocument(title: string, more: () => readonly Endpoint[] = () => []): void {
    const info = { title, version: packageVersion() };
    this.#server.get('/openapi.json', (_request, reply) =>
      reply.type('application/json; charset=utf-8').send(printOpenApi(info, [...this.#endpoints, ...more()])),
    );
  }
}
