import type { FastifyReply } from 'fastify';

/** Aborts when the client disconnects before its answer, so that work nobody waits for is undone. */
export function abandonedSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
