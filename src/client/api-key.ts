import { ClipperError } from '../errors.ts';

/** The headers that carry a token or key. */
export const bearerHeaders = (secret: string | undefined): Readonly<Record<string, string>> =>
  secret === undefined ? {} : { authorization: `Bearer ${secret}` };

/** The same for a given key. Throws E_INVALID_OPTION, without showing the key. */
export function keyHeaders(apiKey: string | undefined): Readonly<Record<string, string>> {
  if (apiKey === undefined || /^[\x21-\x7e]+$/.test(apiKey)) return bearerHeaders(apiKey);
  throw new ClipperError('E_INVALID_OPTION', 'An apiKey must be ASCII, and have no spaces');
}
