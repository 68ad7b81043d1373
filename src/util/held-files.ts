import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { isAlive, type ProcessIdentity, thisProcess } from './processes.ts';

/** Longer than a read and a write ever take: a lock that is older was left by a process that was killed. */
const staleLockMs = 5_000;

/**
 * Takes a file for the process that its content names, if none that runs has it: of several that try at once, one gets
 * it. Returns undefined, or the content of the one that has it already.
 */
export function takeFile<T extends ProcessIdentity>(path: string, content: T): Promise<T | undefined> {
  return locked(path, async () => {
    const there = await readHeld<T>(path);
    if (there !== undefined && isAlive(there)) return there;
    await writeHeld(path, content);
    return undefined;
  });
}

/** Writes a file that is this process' own; whoever reads sees what was there before, or all of this. */
export async function writeHeld(path: string, content: ProcessIdentity): Promise<void> {
  const written = `${path}.${process.pid}`;
  await writeFile(written, JSON.stringify(content), { mode: 0o600 });
  await rename(written, path);
}

/** Removes a file, if it is this process' own. */
export async function releaseFile(path: string): Promise<void> {
  const { pid, startTime } = thisProcess();
  const there = await readHeld(path);
  if (there?.pid === pid && there.startTime === startTime) await rm(path, { force: true });
}

/** What is in such a file; undefined where there is none, or something else. */
export async function readHeld<T extends ProcessIdentity>(path: string): Promise<T | undefined> {
  try {
    const content = JSON.parse(await readFile(path, 'utf8')) as T | null;
    return Number.isInteger(content?.pid) ? (content as T) : undefined;
  } catch {
    return undefined;
  }
}

/** One process at a time: a file is looked at and then written. */
async function locked<T>(path: string, work: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  while (!(await isMade(lock))) {
    const made = await stat(lock).catch(() => undefined);
    if (made !== undefined && Date.now() - made.mtimeMs > staleLockMs) await rm(lock, { force: true });
    await setTimeout(10);
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

const isMade = (lock: string): Promise<boolean> =>
  writeFile(lock, '', { flag: 'wx', mode: 0o600 }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
      return false;
    },
  );
