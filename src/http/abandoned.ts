import type { FastifyReply } from 'fastify';

/** Aborts when the client goes away before its answer: work that nobody waits for is taken back. */
export function abandonedSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
