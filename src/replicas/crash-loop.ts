/** Why replicas are not started any more. */
export interface CrashLoop {
  readonly at: Date;
  readonly deaths: number;
  /** `exit code 1`, `signal SIGKILL` */
  readonly how: string;
  /** The last lines that a replica wrote. */
  readonly log: readonly string[];
}

/** The reason, and the end of the log. */
export const describeCrashLoop = ({ deaths, how, log }: CrashLoop): string =>
  [`a replica died ${deaths} times before it answered anything, at last with ${how}. The end of its log:`, ...log].join('\n');
