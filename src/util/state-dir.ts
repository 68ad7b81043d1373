import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClipperError } from '../errors.ts';
import { readHeld, releaseFile, takeFile, writeHeld } from './held-files.ts';
import { isAlive, type ProcessIdentity, thisProcess } from './processes.ts';

const prefix = 'clipper-ts-';
/** The folder of a user's running clusters, which no single process owns. */
const userDirName = /^clipper-ts-\d+$/;
/** Names the folder's owner. The folder may be removed when that process is gone. */
const ownerFile = 'owner.pid';
const unclaimedMs = 60_000;

interface Owner extends ProcessIdentity {
  readonly cluster: string;
}

/** A folder for a server without `stateDir`. The server removes it when it ends. */
export const makeStateDir = (cluster: string): Promise<string> => mkdtemp(join(tmpdir(), `${prefix}${cluster}-`));

/** A cluster's folder for persistent state, in the user's home, by the XDG base directory rules. */
export const userStateDir = (cluster: string): string =>
  join(process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'clipper-ts', cluster);

/** A temporary folder of this process. Disposing of it removes it with its contents. */
export async function temporaryDir(what: string): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), `${prefix}${what}-`));
  await writeHeld(join(path, ownerFile), thisProcess());
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Claims a folder for a server until it is disposed of, as two servers can't share its state. Throws E_CLUSTER_EXISTS. */
export async function takeStateDir(dir: string, cluster: string): Promise<AsyncDisposable> {
  await mkdir(dir, { recursive: true });
  const path = join(dir, ownerFile);
  const other = await takeFile<Owner>(path, { ...thisProcess(), cluster });
  if (other === undefined) return { [Symbol.asyncDispose]: () => releaseFile(path) };
  const message = `The stateDir ${dir} is used by the server of the cluster '${other.cluster}' already, process ${other.pid}`;
  throw new ClipperError('E_CLUSTER_EXISTS', message, { fix: 'connectClipper() to it, or give startClipper another stateDir' });
}

/** Removes the folders of killed processes. */
export async function sweepStateDirs(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  const ours = names.filter((name) => name.startsWith(prefix) && !userDirName.test(name)).map((name) => join(tmpdir(), name));
  await Promise.all(
    ours.map(async (dir) => {
      if (await isAbandoned(dir)) await rm(dir, { recursive: true, force: true });
    }),
  ).catch(() => {});
}

async function isAbandoned(dir: string): Promise<boolean> {
  const owner = await readHeld(join(dir, ownerFile));
  if (owner !== undefined) return !isAlive(owner);
  // A new folder has no owner for some milliseconds.
  const { mtimeMs } = await stat(dir);
  return Date.now() - mtimeMs > unclaimedMs;
}
