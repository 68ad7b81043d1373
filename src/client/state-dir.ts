import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const prefix = 'clipper-ts-';
const unclaimedMs = 60_000;

/** A folder for a server that was given none; the server removes it when it ends. */
export const makeStateDir = (cluster: string): Promise<string> => mkdtemp(join(tmpdir(), `${prefix}${cluster}-`));

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
  const pid = Number(await readFile(join(dir, 'server.pid'), 'utf8').catch(() => Number.NaN));
  if (Number.isInteger(pid)) return !isAlive(pid);
  // Between the making of a folder and the first word of its server lie milliseconds.
  const { mtimeMs } = await stat(dir);
  return Date.now() - mtimeMs > unclaimedMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
