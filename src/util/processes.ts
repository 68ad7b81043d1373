import { readFileSync } from 'node:fs';

/** Whether there is a process of this number, whoever's it is. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Tells a process from later ones of its number: the kernel's ticks when it started; on other systems than Linux nothing. */
export function startTimeOf(pid: number): string {
  try {
    // The name before may have spaces and brackets of its own.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
