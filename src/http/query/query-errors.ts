import type { FastifyReply } from 'fastify';
import type { ClipperError } from '../../errors.ts';

/** Errors of the query REST in Clipper's words, with our code. */
export function describeQueryError({ code, status, summary, fix }: ClipperError): object {
  const titles: Readonly<Record<number, string>> = { 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not found' };
  const title = code === 'E_MALFORMED_JSON' ? 'Json error' : (titles[status] ?? 'Query processing error');
  return { error: title, cause: summary, code, fix };
}

export const sendQueryError = (error: ClipperError, reply: FastifyReply): FastifyReply =>
  withStatusOf(error, reply).send(describeQueryError(error));

/** Sets an answer's status and, if credentials are missing, the scheme that is accepted. */
export function withStatusOf({ status }: ClipperError, reply: FastifyReply): FastifyReply {
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  return reply.code(status);
}
