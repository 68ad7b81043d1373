import type { IncomingHttpHeaders } from 'node:http';
import { ClipperError } from '../errors.ts';
import { isLoopback } from '../util/addresses.ts';
import { printShort } from '../util/print.ts';

/**
 * Refuses requests that a foreign web page sent: a browser on this machine reaches ports that others don't. `isUnguarded`:
 * no token or key protects the port. Throws E_FORBIDDEN.
 */
export function refusePages({ origin, host = '', ...headers }: IncomingHttpHeaders, isUnguarded: boolean): void {
  const isOwn = origin === undefined || origin.replace(/^https?:\/\//, '').toLowerCase() === host.toLowerCase();
  if (!isOwn) throw forbidden(`this one has the Origin ${printShort(origin)}, and was sent to ${printShort(host)}`);
  if (headers['sec-fetch-site'] === 'cross-site') throw forbidden('this one has Sec-Fetch-Site: cross-site');
  // DNS rebinding: a page's own name may resolve to this machine, which makes the page same-origin with the server.
  if (isUnguarded && host !== '' && !isLoopback(nameOf(host))) {
    const fix = 'address it as localhost or 127.0.0.1, or have it ask for a token or key';
    throw forbidden(`this one was sent to ${printShort(host)}, which is no name of the loopback address`, fix);
  }
}

const forbidden = (why: string, fix?: string): ClipperError =>
  new ClipperError('E_FORBIDDEN', `Requests of web pages are refused here: ${why}`, { fix });

/** A host without its port, and without the brackets of an IPv6 address. */
const nameOf = (host: string): string => host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
