import type { FastifyReply } from 'fastify';
import type { ClipperError } from '../errors.ts';

/** Errors of the query REST as Clipper words them, with our code beside. */
export function describeQueryError({ code, status, message }: ClipperError): object {
  const title = code === 'E_MALFORMED_JSON' ? 'Json error' : status === 404 ? 'Not found' : 'Query processing error';
  return { error: title, cause: message, code };
}

export const sendQueryError = (error: ClipperError, reply: FastifyReply): FastifyReply =>
  reply.code(error.status).send(describeQueryError(error));
