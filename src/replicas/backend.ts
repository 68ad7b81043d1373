import type { BackendName } from '../contract/backends.ts';
import type { NetworkChoice, Resources } from '../contract/deploys.ts';
import type { InputType } from '../protocol/input-types.ts';
import { curveVariables } from '../rpc/curve.ts';

/** What a replica runs: a bundle on this machine, or an image: of ours around a bundle, or one that the user made. */
export type ReplicaSource =
  | { readonly kind: 'bundle'; readonly dir: string }
  | { readonly kind: 'image'; readonly image: string; readonly isOurs?: boolean };

/** What to run: one model version. */
export interface ReplicaSpec {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly inputType: InputType;
  readonly source: ReplicaSource;
  /** Variables for the function's own use. */
  readonly env: Readonly<Record<string, string>>;
  readonly resources: Resources;
  readonly network: NetworkChoice;
}

export interface ReplicaExit {
  /** `exit code 1`, `signal SIGKILL` */
  readonly how: string;
}

/** One running copy of a model version. */
export interface RunningReplica {
  /** Unique within the cluster; the replica announces itself by it. */
  readonly instance: string;
  /** The operating system's process, where there is one of this machine. */
  readonly pid?: number | undefined;
  /** Resolves, and never rejects, when the replica has ended in whatever way. */
  readonly exited: Promise<ReplicaExit>;
  /** Lets it finish its batch, and ends it by force when that takes longer than `graceMs`. */
  stop(options?: { readonly graceMs?: number }): Promise<void>;
}

export interface FollowLogsOptions {
  readonly tailLines: number;
  readonly signal: AbortSignal;
}

/** Reads what replicas write. */
export interface ReplicaLogs {
  /** The last lines that a replica wrote, oldest first; also of one that has ended. */
  logs(instance: string, options: { readonly tailLines: number }): Promise<readonly string[]>;
  /** The same, and then each line that it writes, until it has ended or the signal aborts. */
  followLogs(instance: string, options: FollowLogsOptions): AsyncIterable<string>;
}

/** Starts single replicas. `InstanceFleets` keeps fleets of them. */
export interface InstanceBackend extends ReplicaLogs, AsyncDisposable {
  readonly name: BackendName;
  /** The Docker engine that replicas run on, if they do. */
  readonly engineId?: string;
  /**
   * Gets ready to run a spec, and returns it as replicas of it are to be started. Throws E_INVALID_OPTION for what the
   * backend can't do, and where an image can't be had.
   */
  prepare(spec: ReplicaSpec, signal: AbortSignal): Promise<ReplicaSpec>;
  start(spec: ReplicaSpec, instance: string): Promise<RunningReplica>;
  /**
   * Takes charge of the replicas of a spec that an earlier server of this state left running and that `start` would start
   * just so now; those that it would start otherwise are ended.
   */
  adopt(spec: ReplicaSpec): Promise<readonly RunningReplica[]>;
  /** Ends the replicas that an earlier server left running and that were not adopted. */
  endLeft(): Promise<void>;
  /** Takes away what was made for replicas of a source, after a deploy of it failed. */
  discard(source: ReplicaSource): Promise<void>;
  /** Takes away the log of a replica that ended. */
  forget(instance: string): Promise<void>;
  /** Takes away what was made for versions that are not there any more. */
  collect(needed: readonly Pick<ReplicaSpec, 'modelName' | 'modelVersion'>[]): Promise<void>;
}

/** What a replica is called, and where it finds its server. */
export interface ReplicaPlace {
  readonly instance: string;
  readonly host: string;
  readonly port: number;
  /** Whether the server understands what we add to Clipper's RPC. */
  readonly extensions?: boolean | undefined;
  /** Where RPC is encrypted. */
  readonly serverKey?: string | undefined;
}

/** The variables that tell a replica what it is and where its server is. */
export const clipperVariables = (
  spec: ReplicaSpec,
  { instance, host, port, extensions = true, serverKey }: ReplicaPlace,
): Record<string, string> => ({
  CLIPPER_MODEL_NAME: spec.modelName,
  CLIPPER_MODEL_VERSION: spec.modelVersion,
  CLIPPER_INPUT_TYPE: spec.inputType,
  CLIPPER_IP: host,
  CLIPPER_PORT: String(port),
  ...(extensions ? { CLIPPER_RPC_EXTENSIONS: 'errors,packed' } : {}),
  CLIPPER_INSTANCE: instance,
  ...curveVariables(serverKey),
});
