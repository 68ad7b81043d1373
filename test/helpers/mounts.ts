import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Mounts a file system of its own in memory, of so many KiB, on a folder, which is made. Throws where that may not be done. */
export function mountMemory(path: string, kib = 1_024): Disposable {
  mkdirSync(path, { recursive: true });
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', path], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`tmpfs can't be mounted on ${path}: ${stderr}`);
  return { [Symbol.dispose]: () => void spawnSync('umount', ['-l', path]) };
}

function canMount(): boolean {
  const path = mkdtempSync(join(tmpdir(), 'clipper-test-mount-'));
  try {
    mountMemory(path)[Symbol.dispose]();
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(path);
  }
}

const mayMount = canMount();

/** Skipped, with the reason, where this user may not mount. */
export const testWithMounts = (name: string, ...rest: [run: () => Promise<void>, timeoutMs?: number]): void =>
  mayMount ? test(name, ...rest) : test.skip(`${name} (skipped: tmpfs can't be mounted here)`, ...rest);
