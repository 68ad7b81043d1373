import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning } from './processes.ts';

const prefix = 'clipper-ts-';
/** Says whose a folder is; it may be taken away when that process is gone. */
const ownerFile = 'owner.pid';
const unclaimedMs = 60_000;

/** A folder for a server that was given none; the server removes it when it ends. */
export const makeStateDir = (cluster: string): Promise<string> => mkdtemp(join(tmpdir(), `${prefix}${cluster}-`));

/** A cluster's folder in the user's home, as the XDG base directories have it: for state that outlives processes. */
export const userStateDir = (cluster: string): string =>
  join(process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'clipper-ts', cluster);

/** A folder for a while of this process' own, which is taken away with all in it when it is disposed of. */
export async function temporaryDir(what: string): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), `${prefix}${what}-`));
  await claimDir(path);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Says that a folder is this process'. */
export const claimDir = (dir: string): Promise<void> => writeFile(join(dir, ownerFile), String(process.pid));

/** Removes the folders of servers that were killed before they could do it themselves. */
export async function sweepStateDirs(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  const ours = names.filter((name) => name.startsWith(prefix)).map((name) => join(tmpdir(), name));
  await Promise.all(
    ours.map(async (dir) => {
      if (await isAbandoned(dir)) await rm(dir, { recursive: true, force: true });
    }),
  ).catch(() => {});
}

async function isAbandoned(dir: string): Promise<boolean> {
  const pid = Number(await readFile(join(dir, ownerFile), 'utf8').catch(() => Number.NaN));
  if (Number.isInteger(pid)) return !isRunning(pid);
  // Between the making of a folder and the first word of its server lie milliseconds.
  const { mtimeMs } = await stat(dir);
  return Date.now() - mtimeMs > unclaimedMs;
}
