import type { ReplicaExit, ReplicaSpec } from './backend.ts';
import type { CrashLoop } from './crash-loop.ts';

/** A replica that is not there any more. */
export interface EndedReplica extends ReplicaExit {
  readonly spec: ReplicaSpec;
  readonly instance: string;
  /** It was stopped on purpose, rather than died. */
  readonly isIntended: boolean;
}

/** What a fleet tells of its replicas. */
export interface FleetEvents {
  /** Before a replica is stopped on purpose: it must get no more work. Resolves when it has done what it has. */
  readonly onStopping: (instance: string) => Promise<void>;
  readonly onEnded: (ended: EndedReplica) => void;
  /** Replicas keep dying before they answer anything, and are not started again. */
  readonly onGaveUp: (spec: ReplicaSpec, crashLoop: CrashLoop) => void;
}
