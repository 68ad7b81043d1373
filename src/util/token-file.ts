import { constants, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ClipperError } from '../errors.ts';
import { isLoopback } from './addresses.ts';
import { newSecret } from './secrets.ts';

/** Characters that need no quotes in a header, and enough of them that the token can't be guessed. */
const tokenRule = /^[\x21-\x7e]{16,}$/;

/** Checks a given token. Throws E_INVALID_OPTION, without showing the token. */
export function checkToken(token: string | undefined): string | undefined {
  if (token === undefined || tokenRule.test(token)) return token;
  throw new ClipperError('E_INVALID_OPTION', 'The token must be 16 or more characters of ASCII, and no spaces');
}

/** A cluster's token, and the file that holds it. */
export interface Token {
  readonly text: string;
  readonly file: string;
}

/** The token of management, if it needs one: if one is given, or other machines can reach it. Throws E_INVALID_OPTION. */
export const tokenOf = async ({
  stateDir,
  token,
  managementHost,
}: {
  readonly stateDir: string;
  readonly token?: string | undefined;
  readonly managementHost: string;
}): Promise<Token | undefined> => (token === undefined && isLoopback(managementHost) ? undefined : keepToken(stateDir, token));

/** The given token, else the one in the folder, else a new one. Throws E_INVALID_OPTION. */
async function keepToken(stateDir: string, given: string | undefined): Promise<Token> {
  const file = join(stateDir, 'token');
  const kept = given === undefined ? await readToken(file) : undefined;
  if (kept !== undefined) return { text: kept, file };
  const text = checkToken(given) ?? newSecret();
  const written = `${file}.${process.pid}`;
  await rm(written, { force: true });
  // `wx`, so that the token isn't written to a file that someone else created.
  const handle = await open(written, 'wx', 0o600);
  await handle.writeFile(text).finally(() => handle.close());
  await rename(written, file);
  return { text, file };
}

/** The token in a file; undefined if there is none. Throws E_INVALID_OPTION if others may know it. */
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
