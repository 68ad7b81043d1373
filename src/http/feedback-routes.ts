import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Registry } from '../control/registry.ts';
import type { Feedback } from '../serving/feedback.ts';

export interface FeedbackServices {
  readonly registry: Registry;
  readonly feedback: Feedback;
}

/** The feedback that is kept of an application, as JSON lines. */
export function addFeedbackRoutes(server: FastifyInstance, { registry, feedback }: FeedbackServices): void {
  server.get('/admin/v1/feedback/:application', (request: FastifyRequest<{ Params: { application: string } }>, reply) => {
    const application = registry.knownApplication(request.params.application);
    return reply.type('application/x-ndjson').send(Readable.from(feedback.read(application)));
  });
}
