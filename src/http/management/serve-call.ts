import type { FastifyReply } from 'fastify';
import type { Call, Read } from '../../contract/call.ts';
import { clusterErrors } from '../../contract/errors.ts';
import type { ClipperError } from '../../errors.ts';
import { resolveOptions } from '../../util/options.ts';
import type { z } from '../../util/zod.ts';
import { abandonedSignal } from '../abandoned.ts';
import type { Api } from '../api.ts';
import { withStatusOf } from '../query/query-errors.ts';
import { parseObject } from '../query/request-body.ts';

const tag = 'Cluster';

/** Answers a call. `abandoned` aborts when the client goes away before its answer. */
export type Answerer<Body extends z.ZodType, Answer extends z.ZodType> = (
  body: Readonly<z.output<Body>>,
  abandoned: AbortSignal,
) => z.input<Answer> | Promise<z.input<Answer>>;

/** Serves one of our additions to the management REST: JSON both ways, errors as JSON with a code. */
export function serveCall<Body extends z.ZodType, Answer extends z.ZodType>(
  api: Api,
  { path, name, summary, body, gives }: Call<Body, Answer>,
  answer: Answerer<Body, Answer>,
): void {
  const answers = { 200: gives, ...clusterErrors };
  api.serve({ method: 'POST', path, name, tag, summary, body, answers }, (request, reply) =>
    answer(resolveOptions(body, parseObject(request.body), name), abandonedSignal(reply)),
  );
}

/** Serves what is only read. */
export function serveRead<Answer extends z.ZodType>(
  api: Api,
  { path, name, summary, gives }: Read<Answer>,
  answer: () => z.input<Answer>,
): void {
  api.serve({ method: 'GET', path, name, tag, summary, answers: { 200: gives, ...clusterErrors } }, answer);
}

/** Errors of our own endpoints: a client throws them again as they were. */
export const sendClusterError = (error: ClipperError, reply: FastifyReply): FastifyReply =>
  withStatusOf(error, reply).send({ code: error.code, message: error.summary, fix: error.fix });
