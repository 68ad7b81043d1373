import { constants, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ClipperError } from '../errors.ts';
import { isLoopback } from './addresses.ts';
import { newSecret } from './secrets.ts';

/** A token may have what may stand in a header without quotes, and so much that it isn't tried out. */
const tokenRule = /^[\x21-\x7e]{16,}$/;

/** A token that is given. Throws E_INVALID_OPTION, which doesn't show it. */
export function checkToken(token: string | undefined): string | undefined {
  if (token === undefined || tokenRule.test(token)) return token;
  throw new ClipperError('E_INVALID_OPTION', 'The token must be 16 or more characters of ASCII, and no spaces');
}

/** A cluster's token, and the file that it is kept in. */
export interface Token {
  readonly text: string;
  readonly file: string;
}

/** The token that management asks for, if it does: also where others than this machine reach it. Throws E_INVALID_OPTION. */
export const tokenOf = async ({
  stateDir,
  token,
  managementHost,
}: {
  readonly stateDir: string;
  readonly token?: string | undefined;
  readonly managementHost: string;
}): Promise<Token | undefined> => (token === undefined && isLoopback(managementHost) ? undefined : keepToken(stateDir, token));

/** The token of a folder: the one that is given, else the one that is there, else a new one. Throws E_INVALID_OPTION. */
async function keepToken(stateDir: string, given: string | undefined): Promise<Token> {
  const file = join(stateDir, 'token');
  const kept = given === undefined ? await readToken(file) : undefined;
  if (kept !== undefined) return { text: kept, file };
  const text = checkToken(given) ?? newSecret();
  const written = `${file}.${process.pid}`;
  await rm(written, { force: true });
  // Whoever could have put a file there first must not be given the token.
  const handle = await open(written, 'wx', 0o600);
  await handle.writeFile(text).finally(() => handle.close());
  await rename(written, file);
  return { text, file };
}

/** The token in a file; undefined where there is none. Throws E_INVALID_OPTION for one that others may know. */
export async function readToken(file: string): Promise<string | undefined> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new ClipperError('E_INVALID_OPTION', `The token file ${file} can't be read: ${error.message}`, { cause: error });
  });
  if (handle === undefined) return undefined;
  try {
    return await checked(handle, file);
  } finally {
    await handle.close();
  }
}

async function checked(handle: FileHandle, file: string): Promise<string> {
  const { mode, uid } = await handle.stat();
  const isOurs = process.getuid === undefined || (uid === process.getuid() && (mode & 0o077) === 0);
  const text = (await handle.readFile('utf8')).trim();
  if (isOurs && tokenRule.test(text)) return text;
  const why = isOurs ? 'holds no token of 16 or more characters without spaces' : 'may be read or written by others';
  throw new ClipperError('E_INVALID_OPTION', `The token file ${file} ${why}`, { fix: 'remove it, and a new one is made' });
}
