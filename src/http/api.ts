import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { packageVersion } from '../util/package-files.ts';
import { z } from '../util/zod.ts';
import { type ApiEndpoint, type Credential, printOpenApi } from './openapi.ts';

type Handler<P> = (request: FastifyRequest<{ Params: P }>, reply: FastifyReply) => unknown;

/** The endpoints of one port: serves them, and a document of them at `/openapi.json`. */
export class Api {
  readonly #server: FastifyInstance;
  readonly #asks: Credential;
  readonly #endpoints: ApiEndpoint[];

  /** `asks`: the credential for endpoints that don't name one. */
  constructor(server: FastifyInstance, asks: Credential = 'nothing', endpoints: ApiEndpoint[] = []) {
    this.#server = server;
    this.#asks = asks;
    this.#endpoints = endpoints;
  }

  /** The same API in an inner scope. */
  within(scope: FastifyInstance): Api {
    return new Api(scope, this.#asks, this.#endpoints);
  }

  /** Serves an endpoint; its path's parameters are the request's `params`. */
  serve<P = unknown>(endpoint: ApiEndpoint, handler: Handler<P>): void {
    this.describe(endpoint);
    const url = endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1');
    this.#server.route<{ Params: P }>({ method: endpoint.method, url, handler });
  }

  /** Adds endpoints to the document that are served elsewhere. */
  describe(...endpoints: readonly ApiEndpoint[]): void {
    this.#endpoints.push(...endpoints.map((endpoint) => ({ asks: this.#asks, ...endpoint })));
  }

  get endpoints(): readonly ApiEndpoint[] {
    return this.#endpoints;
  }

  /** Serves the document. `more` gives endpoints that change over time or are served elsewhere. */
  serveDocument(title: string, more: (request: FastifyRequest) => readonly ApiEndpoint[]): void {
    const info = { title, version: packageVersion() };
    const endpoint = { method: 'GET', path: '/openapi.json', name: 'openApi', tag: 'Server', summary: 'This document.' } as const;
    this.serve({ ...endpoint, answers: { 200: z.looseObject({ openapi: z.string() }) } }, (request, reply) =>
      reply.type('application/json; charset=utf-8').send(printOpenApi(info, [...this.#endpoints, ...more(request)])),
    );
  }
}
