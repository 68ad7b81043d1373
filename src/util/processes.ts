import { readFileSync } from 'node:fs';

/** Whether there is a process with this id, of any user. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * A process's start time in the kernel's clock ticks, which distinguishes it from others with a reused id. Linux only;
 * empty elsewhere.
 */
export const startTimeOf = (pid: number): string => factsOf(pid)[19] ?? '';

/** Identifies a process even if its id is reused. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

export const thisProcess = (): ProcessIdentity => ({ pid: process.pid, startTime: startTimeOf(process.pid) });

/** Whether the process still runs. Zombies count as ended. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  const [state = ''] = factsOf(pid);
  return isRunning(pid) && startTimeOf(pid) === startTime && !/[ZX]/.test(state);
}

/** The fields of `/proc/<pid>/stat`, from the state on. */
function factsOf(pid: number): readonly string[] {
  try {
    // The name in front may itself contain spaces and brackets.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  } catch {
    return [];
  }
}
