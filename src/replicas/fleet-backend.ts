import type { RpcReplica } from '../rpc/rpc-replica.ts';
import type { ReplicaExit, ReplicaLogs, ReplicaSource, ReplicaSpec, RunningReplica } from './backend.ts';
import type { CrashLoop } from './crash-loop.ts';
import type { FleetEvents } from './fleet-events.ts';

/** The replicas of one model version, kept at the number that is wanted. */
export interface ReplicaFleet {
  readonly spec: ReplicaSpec;
  readonly wanted: number;
  /** The replicas that take queries. */
  readonly connected: readonly RpcReplica[];
  /** Every running instance, and the last that ran, oldest first. */
  readonly instances: readonly string[];
  /** The running instances, with their process if it is on this machine. */
  readonly running: readonly Pick<RunningReplica, 'instance' | 'pid' | 'exited'>[];
  /** Why replicas are no longer started; undefined once it is scaled again. */
  readonly crashLoop: CrashLoop | undefined;
  /** Why the last start failed; undefined if it did not. */
  readonly whyNotStarted: string | undefined;
  /** How an instance ended; undefined if it has not. */
  exitOf(instance: string): ReplicaExit | undefined;
  /** Call when one of its replicas connects. */
  announced(replica: RpcReplica): void;
  /** Starts or stops replicas until there are this many; the newest are stopped first. */
  scale(wanted: number): Promise<void>;
  /** Ends a replica that no longer answers; another is started in its place. */
  replace(instance: string): Promise<void>;
}

export interface OpenFleetOptions {
  readonly events: FleetEvents;
  /** Whether to take over the replicas that an earlier server of this state left running. */
  readonly adopts: boolean;
}

/**
 * Keeps the replicas of model versions. An orchestrator that keeps replicas itself implements this; for a backend that
 * starts single replicas, `InstanceFleets` does.
 */
export interface FleetBackend extends ReplicaLogs {
  /**
   * Prepares to run a spec, and returns the spec to pass to `open`. Throws E_INVALID_OPTION for what the backend can't do.
   */
  prepare(spec: ReplicaSpec, signal: AbortSignal): Promise<ReplicaSpec>;
  /** Opens the fleet of a prepared spec. It has no replicas but those that it adopts. */
  open(spec: ReplicaSpec, options: OpenFleetOptions): Promise<ReplicaFleet>;
  /** Ends the replicas that an earlier server left running and nobody adopted. */
  endLeft(): Promise<void>;
  /** Removes what was made for replicas of a source, after its deploy failed or its version was deleted. */
  discard(source: ReplicaSource): Promise<void>;
  /** Removes what was made for versions that no longer exist. */
  collect(needed: readonly Pick<ReplicaSpec, 'modelName' | 'modelVersion'>[]): Promise<void>;
}
