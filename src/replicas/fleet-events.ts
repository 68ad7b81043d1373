import type { ReplicaExit, ReplicaSpec } from './backend.ts';
import type { CrashLoop } from './crash-loop.ts';

/** A replica that has ended. */
export interface EndedReplica extends ReplicaExit {
  readonly spec: ReplicaSpec;
  readonly instance: string;
  /** Whether it was stopped on purpose rather than died. */
  readonly isIntended: boolean;
}

/** Events of a fleet's replicas. */
export interface FleetEvents {
  /** Called before a replica is stopped on purpose: it must get no more work. Resolves when its work is done. */
  readonly onStopping: (instance: string) => Promise<void>;
  readonly onEnded: (ended: EndedReplica) => void;
  /** Replicas keep dying before they answer anything, and are no longer started. */
  readonly onGaveUp: (spec: ReplicaSpec, crashLoop: CrashLoop) => void;
}
