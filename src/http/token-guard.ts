import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { ClipperError } from '../errors.ts';
import { hashOf, isSameHash } from '../util/secrets.ts';

/** Requires the cluster's token for every request except `/admin/ping`, which only says that the server is up. */
export function requireToken(server: FastifyInstance, token: string): void {
  const expected = hashOf(token);
  server.addHook('onRequest', async ({ headers, routeOptions }) => {
    if (routeOptions.url === '/admin/ping') return;
    const given = bearerOf(headers);
    if (given !== undefined && isSameHash(hashOf(given), expected)) return;
    const got = given === undefined ? 'none came' : 'another one came';
    const message = `Management needs the cluster's token, as "Authorization: Bearer <token>", and ${got}`;
    throw new ClipperError('E_UNAUTHORIZED', message, {
      fix: `connectClipper({ token }), or CLIPPER_TOKEN in the environment; it is in the file "token" of the server's stateDir`,
    });
  });
}

/** The credential of a request's `Authorization: Bearer`. */
export const bearerOf = ({ authorization = '' }: IncomingHttpHeaders): string | undefined =>
  /^bearer +(\S+) *$/i.exec(authorization)?.[1];
