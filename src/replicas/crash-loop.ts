/** Why a fleet no longer starts replicas. */
export interface CrashLoop {
  readonly at: Date;
  readonly deaths: number;
  /** `exit code 1`, `signal SIGKILL` */
  readonly how: string;
  /** The last lines of the replica's output. */
  readonly log: readonly string[];
}

export const describeCrashLoop = ({ deaths, how, log }: CrashLoop): string =>
  [`a replica died ${deaths} times before it answered anything, at last with ${how}. The end of its log:`, ...log].join('\n');
