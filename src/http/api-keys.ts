import type { IncomingHttpHeaders } from 'node:http';
import type { Application } from '../control/state-store.ts';
import { ClipperError } from '../errors.ts';
import { hashOf, isSameHash } from '../util/secrets.ts';
import { bearerOf } from './token-guard.ts';

/** Whether an application's queries need one of its keys. */
export const hasKeys = ({ apiKeyHashes }: Application): boolean => apiKeyHashes !== undefined && apiKeyHashes.length > 0;

/** The application, if the request may be answered. Throws E_UNAUTHORIZED if it has keys and the request has none of them. */
export function withKey(application: Application, headers: IncomingHttpHeaders): Application {
  if (hasKeys(application)) requireKey(application, headers);
  return application;
}

function requireKey({ name, apiKeyHashes = [] }: Application, headers: IncomingHttpHeaders): void {
  const given = [bearerOf(headers), headers['x-api-key']].filter((each) => typeof each === 'string').map(hashOf);
  if (given.some((hash) => apiKeyHashes.some((kept) => isSameHash(kept, hash)))) return;
  const got = given.length === 0 ? 'none came' : 'another one came';
  const message = `The application '${name}' needs a key, as "Authorization: Bearer <key>" or "x-api-key: <key>", and ${got}`;
  throw new ClipperError('E_UNAUTHORIZED', message, { fix: 'connectClipper({ apiKey }), or predict(…, { apiKey })' });
}
