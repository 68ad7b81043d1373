import { Readable } from 'node:stream';
import { clusterErrors } from '../../contract/errors.ts';
import type { Registry } from '../../control/registry.ts';
import type { Feedback } from '../../serving/feedback.ts';
import { z } from '../../util/zod.ts';
import type { Api } from '../api.ts';

export interface FeedbackServices {
  readonly registry: Registry;
  readonly feedback: Feedback;
}

/** The feedback kept of an application, as JSON lines. */
export function addFeedbackRoutes(api: Api, { registry, feedback }: FeedbackServices): void {
  api.serve<{ application: string }>(
    {
      method: 'GET',
      path: '/admin/v1/feedback/{application}',
      name: 'getFeedback',
      tag: 'Cluster',
      summary: 'The feedback that is kept of an application, oldest first: a JSON object a line.',
      answers: { 200: { 'application/x-ndjson': z.string() }, ...clusterErrors },
    },
    ({ params }, reply) => {
      const application = registry.knownApplication(params.application);
      return reply.type('application/x-ndjson').send(Readable.from(feedback.read(application)));
    },
  );
}
