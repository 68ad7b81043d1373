import { ClipperError } from '../errors.ts';

/** The address and credentials of a Redis. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly isEncrypted: boolean;
}

const standardPort = 6379;

/** Parses `redis://[[user]:password@]host[:port]`, or `rediss` for TLS; undefined for anything else. */
function read(url: string): RedisAddress | undefined {
  if (!URL.canParse(url)) return undefined;
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(url);
  const isPlain = /^\/?$/.test(pathname) && search === '' && hash === '';
  if (!/^rediss?:$/.test(protocol) || hostname === '' || !isPlain) return undefined;
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? standardPort : Number(port),
    username: username === '' ? undefined : decodeURIComponent(username),
    password: password === '' ? undefined : decodeURIComponent(password),
    isEncrypted: protocol === 'rediss:',
  };
}

export const isRedisUrl = (url: string): boolean => {
  try {
    return read(url) !== undefined;
  } catch {
    // The password has a `%` that is not encoded.
    return false;
  }
};

/** What a Redis URL must look like, for messages. They never repeat the URL, which may hold a password. */
export const redisUrlRule =
  'must be redis://[[user]:password@]host[:port], or rediss:// for TLS, without a path: the databases are fixed; special characters of a password are to be percent-encoded';

/** Throws E_INVALID_OPTION. */
export function parseRedisUrl(url: string): RedisAddress {
  const address = isRedisUrl(url) ? read(url) : undefined;
  if (address === undefined) throw new ClipperError('E_INVALID_OPTION', `The URL of a Redis ${redisUrlRule}`);
  return address;
}
