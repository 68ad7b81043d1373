import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { isAlive, type ProcessIdentity, thisProcess } from './processes.ts';

/** Longer than any read and write take. An older lock was left by a killed process. */
const staleLockMs = 5_000;

/**
 * Claims a file for the process that `content` names, unless a running process has it. If several try at once, one
 * succeeds. Returns undefined, or the content of the present holder.
 */
export function takeFile<T extends ProcessIdentity>(path: string, content: T): Promise<T | undefined> {
  return locked(path, async () => {
    const there = await readHeld<T>(path);
    if (there !== undefined && isAlive(there)) return there;
    await writeHeld(path, content);
    return undefined;
  });
}

/** Replaces a file that this process holds. Readers see the old or the new content, never a part. */
export async function writeHeld(path: string, content: ProcessIdentity): Promise<void> {
  const written = `${path}.${process.pid}`;
  await writeFile(written, JSON.stringify(content), { mode: 0o600 });
  await rename(written, path);
}

/** Removes a file if this process holds it. */
export async function releaseFile(path: string): Promise<void> {
  const { pid, startTime } = thisProcess();
  const there = await readHeld(path);
  if (there?.pid === pid && there.startTime === startTime) await rm(path, { force: true });
}

/** The content of a held file; undefined if it is missing or malformed. */
export async function readHeld<T extends ProcessIdentity>(path: string): Promise<T | undefined> {
  try {
    const content = JSON.parse(await readFile(path, 'utf8')) as T | null;
    return Number.isInteger(content?.pid) ? (content as T) : undefined;
  } catch {
    return undefined;
  }
}

/** Runs work under a lock, because a file is read and then written. */
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
