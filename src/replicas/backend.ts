import type { BackendName } from '../contract/backends.ts';
import type { NetworkChoice, Resources } from '../contract/deploys.ts';
import type { InputType } from '../protocol/input-types.ts';
import { curveVariables } from '../rpc/curve.ts';

/**
 * What a replica runs: a bundle on this machine, or an image. `isOurs`: the image was made from a bundle, not by the user.
 */
export type ReplicaSource =
  | { readonly kind: 'bundle'; readonly dir: string }
  | { readonly kind: 'image'; readonly image: string; readonly isOurs?: boolean };

/** A model version to run. */
export interface ReplicaSpec {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly inputType: InputType;
  readonly source: ReplicaSource;
  /** Environment variables for the function. */
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
  /** Unique within the cluster. The replica connects under this name. */
  readonly instance: string;
  /** The process id, if the replica is a process on this machine. */
  readonly pid?: number | undefined;
  /** Resolves when the replica has ended, however it ended. Never rejects. */
  readonly exited: Promise<ReplicaExit>;
  /** Lets the replica finish its batch, and kills it if that takes longer than `graceMs`. */
  stop(options?: { readonly graceMs?: number }): Promise<void>;
}

export interface FollowLogsOptions {
  readonly tailLines: number;
  readonly signal: AbortSignal;
}

/** Reads the output of replicas. */
export interface ReplicaLogs {
  /** The last lines of a replica's output, oldest first. Also works after it has ended. */
  logs(instance: string, options: { readonly tailLines: number }): Promise<readonly string[]>;
  /** The last lines, then each new line, until the replica ends or the signal aborts. */
  followLogs(instance: string, options: FollowLogsOptions): AsyncIterable<string>;
}

/** Starts single replicas. `InstanceFleets` keeps fleets of them. */
export interface InstanceBackend extends ReplicaLogs, AsyncDisposable {
  readonly name: BackendName;
  /** The Docker engine that runs the replicas, if any. */
  readonly engineId?: string;
  /**
   * Prepares to run a spec, and returns the spec to pass to `start`. Throws E_INVALID_OPTION for what the backend can't do;
   * E_IMAGE_NOT_FOUND, E_REGISTRY_FAILED or E_IMAGE_FAILED if it can't get the image.
   */
  prepare(spec: ReplicaSpec, signal: AbortSignal): Promise<ReplicaSpec>;
  start(spec: ReplicaSpec, instance: string): Promise<RunningReplica>;
  /**
   * Takes over the replicas of a spec that an earlier server of this state left running. Ends those whose settings differ
   * from what `start` would use now.
   */
  adopt(spec: ReplicaSpec): Promise<readonly RunningReplica[]>;
  /** Ends the replicas that an earlier server left running and nobody adopted. */
  endLeft(): Promise<void>;
  /** Removes what was made for replicas of a source, after its deploy failed or its version was deleted. */
  discard(source: ReplicaSource): Promise<void>;
  /** Removes the log of a replica that has ended. */
  forget(instance: string): Promise<void>;
  /** Removes what was made for versions that no longer exist. */
  collect(needed: readonly Pick<ReplicaSpec, 'modelName' | 'modelVersion'>[]): Promise<void>;
}

/** A replica's name, and the address of its server. */
export interface ReplicaPlace {
  readonly instance: string;
  readonly host: string;
  readonly port: number;
  /** Whether the server understands our extensions to Clipper's RPC. */
  readonly extensions?: boolean | undefined;
  /** The server's public key, if RPC is encrypted. */
  readonly serverKey?: string | undefined;
}

/** The environment variables that tell a replica what it is and where its server is. */
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
