/** What may happen to a cluster. */
export const eventKinds = [
  'server_started',
  'server_stopping',
  'deployed',
  'ready',
  'died',
  'gave_up',
  'scaled',
  'stopped',
  'switched',
  'traffic',
  'promoted',
  'rolled_back',
  'deleted',
  'shed',
] as const;
export type EventKind = (typeof eventKinds)[number];

/** Something that happened to a cluster. */
export interface ClusterEvent {
  /** Counts from 1, also over restarts. */
  readonly id: number;
  /** ISO 8601. */
  readonly at: string;
  readonly kind: EventKind;
  readonly model?: string;
  readonly version?: string;
  /** The replica that it is about. */
  readonly instance?: string;
  readonly message: string;
}
