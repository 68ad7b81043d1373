import { ClipperError } from '../errors.ts';

/** The headers that show a token or key. */
export const bearerHeaders = (secret: string | undefined): Readonly<Record<string, string>> =>
  secret === undefined ? {} : { authorization: `Bearer ${secret}` };

/** The same for a key that was given. Throws E_INVALID_OPTION, which doesn't show it. */
export function keyHeaders(apiKey: string | undefined): Readonly<Record<string, string>> {
  if (apiKey === undefined || /^[\x21-\x7e]+$/.test(apiKey)) return bearerHeaders(apiKey);
  throw new ClipperError('E_INVALID_OPTION', 'An apiKey must be ASCII, and have no spaces');
}
