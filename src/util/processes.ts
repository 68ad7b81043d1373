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
export const startTimeOf = (pid: number): string => factsOf(pid)[19] ?? '';

/** One process, told from later ones of its number. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

export const thisProcess = (): ProcessIdentity => ({ pid: process.pid, startTime: startTimeOf(process.pid) });

/** Whether it still runs. One that has ended, but whose parent hasn't taken note of it, does not. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  const [state = ''] = factsOf(pid);
  return isRunning(pid) && startTimeOf(pid) === startTime && !/[ZX]/.test(state);
}

/** What Linux knows of a process, from its state on. */
function factsOf(pid: number): readonly string[] {
  try {
    // The name before may have spaces and brackets of its own.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  } catch {
    return [];
  }
}
