import type { FastifyReply } from 'fastify';
import { type Call, text } from '../../contract/call.ts';
import { errorCodeHeader, QueryError, refusals } from '../../contract/errors.ts';
import { ClipperError, type ErrorCode } from '../../errors.ts';
import { z } from '../../util/zod.ts';
import { abandonedSignal } from '../abandoned.ts';
import type { Api } from '../api.ts';
import { sendQueryError } from '../query/query-errors.ts';
import { explainIssues, parseObject } from '../query/request-body.ts';
import type { Answerer } from './serve-call.ts';

/** Serves an endpoint of Clipper's own management, with Clipper's texts and refusals. */
export function addManagementEndpoint<Body extends z.ZodType, Answer extends z.ZodType>(
  api: Api,
  { path, name, summary, body, gives }: Call<Body, Answer>,
  answer: Answerer<Body, Answer>,
): void {
  const refusal = { 'text/plain': text };
  const isText = (gives as z.ZodType) === text;
  const answers = { 200: isText ? { 'text/plain': text } : gives, 400: refusal, ...refusals, '5XX': QueryError };
  const endpoint = { method: 'POST', path, name, tag: 'Management', summary, body, answers } as const;
  api.serve(endpoint, async (request, reply) => {
    const answered = await answer(checkBody(body, request.body), abandonedSignal(reply));
    if (isText) return reply.type('text/plain; charset=utf-8').send(answered);
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(answered));
  });
}

function checkBody<Body extends z.ZodType>(schema: Body, body: unknown): z.output<Body> {
  const checked = schema.safeParse(parseObject(body));
  if (checked.success) return checked.data;
  const expected = JSON.stringify(z.toJSONSchema(schema, { io: 'input' }));
  const message = `Error parsing JSON: ${explainIssues(checked.error)}. Expected JSON schema: ${expected}`;
  throw new ClipperError('E_MALFORMED_JSON', message);
}

/** Codes that Clipper's management does not have. */
const ownCodes: readonly ErrorCode[] = ['E_UNKNOWN_PATH', 'E_UNAUTHORIZED', 'E_FORBIDDEN'];

/**
 * Refusals as Clipper gives them: always 400, with the reason as text. Server errors, which Clipper does not have, carry their
 * code.
 */
export function sendManagementError(error: ClipperError, reply: FastifyReply): FastifyReply {
  if (error.status >= 500 || ownCodes.includes(error.code)) return sendQueryError(error, reply);
  return reply.code(400).header(errorCodeHeader, error.code).type('text/plain; charset=utf-8').send(error.message);
}
