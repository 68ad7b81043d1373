import type { FastifyReply } from 'fastify';
import { ClipperError, type ErrorCode } from '../../errors.ts';
import { z } from '../../util/zod.ts';
import { abandonedSignal } from '../abandoned.ts';
import type { Api } from '../api.ts';
import { explainIssues, parseObject } from '../query/json-inputs.ts';
import { sendQueryError } from '../query/query-errors.ts';
import { QueryError, refusals } from '../query/query-schemas.ts';

/** Answers that are plain text. */
export const text = z.string();

/** An endpoint of Clipper's management. */
export interface ManagementEndpoint<B extends z.ZodType, A> {
  readonly summary: string;
  readonly body: B;
  /** `text`, or what is answered as JSON. */
  readonly gives: z.ZodType<A>;
  /** `abandoned` aborts when the client goes away before its answer. */
  readonly answer: (body: z.output<B>, abandoned: AbortSignal) => A | Promise<A>;
}

/** Adds `POST /admin/<name>`, whose body is checked by its schema. */
export function addManagementEndpoint<B extends z.ZodType, A>(
  api: Api,
  name: string,
  { summary, body, gives, answer }: ManagementEndpoint<B, A>,
): void {
  const refusal = { 'text/plain': text };
  const isText = (gives as z.ZodType) === text;
  const answers = { 200: isText ? { 'text/plain': text } : gives, 400: refusal, ...refusals, '5XX': QueryError };
  const endpoint = { method: 'POST', path: `/admin/${name}`, name, tag: 'Management', summary, body, answers } as const;
  api.serve(endpoint, async (request, reply) => {
    const answered = await answer(checkBody(body, request.body), abandonedSignal(reply));
    if (isText) return reply.type('text/plain; charset=utf-8').send(answered);
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(answered));
  });
}

function checkBody<B extends z.ZodType>(schema: B, body: unknown): z.output<B> {
  const checked = schema.safeParse(parseObject(body));
  if (checked.success) return checked.data;
  const expected = JSON.stringify(z.toJSONSchema(schema, { io: 'input' }));
  const message = `Error parsing JSON: ${explainIssues(checked.error)}. Expected JSON schema: ${expected}`;
  throw new ClipperError('E_MALFORMED_JSON', message);
}

/** Where a refusal in Clipper's plain text tells its code. */
export const errorCodeHeader = 'clipper-error-code';

/** What Clipper's management knows nothing of. */
const ownCodes: readonly ErrorCode[] = ['E_UNKNOWN_PATH', 'E_UNAUTHORIZED', 'E_FORBIDDEN'];

/** Refusals as Clipper gives them: always 400, with the reason as text. Failures, of which Clipper has none, tell their code. */
export function sendManagementError(error: ClipperError, reply: FastifyReply): FastifyReply {
  if (error.status >= 500 || ownCodes.includes(error.code)) return sendQueryError(error, reply);
  return reply.code(400).header(errorCodeHeader, error.code).type('text/plain; charset=utf-8').send(error.message);
}
