import type { InputType } from '../protocol/input-types.ts';

/** What to run: one model version's bundle. */
export interface ReplicaSpec {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly inputType: InputType;
  readonly bundleDir: string;
  /** Variables for the function's own use. */
  readonly env: Readonly<Record<string, string>>;
}

export interface ReplicaExit {
  /** `exit code 1`, `signal SIGKILL` */
  readonly how: string;
}

/** One running copy of a model version. */
export interface RunningReplica {
  /** Unique within the cluster; the replica announces itself by it. */
  readonly instance: string;
  /** The operating system's process, where there is one on this machine. */
  readonly pid: number | undefined;
  /** Resolves, and never rejects, when the replica has ended in whatever way. */
  readonly exited: Promise<ReplicaExit>;
  /** Lets it finish its batch, and ends it by force when that takes longer than `graceMs`. */
  stop(options?: { readonly graceMs?: number }): Promise<void>;
}

/** Where replicas run. */
export interface Backend extends AsyncDisposable {
  readonly name: string;
  start(spec: ReplicaSpec, instance: string): Promise<RunningReplica>;
  /** The last lines that a replica wrote, oldest first; also of one that has ended. */
  logs(instance: string, options: { readonly tailLines: number }): Promise<readonly string[]>;
}
