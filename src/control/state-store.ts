import type { NetworkChoice, Resources, WantedReplicas } from '../contract/deploys.ts';
import type { ClusterEvent } from '../contract/events.ts';
import type { ServingSettings } from '../contract/serving.ts';
import type { RolloutRule } from '../contract/traffic.ts';
import type { InputType } from '../protocol/input-types.ts';

export interface Application {
  readonly name: string;
  readonly inputType: InputType;
  readonly defaultOutput: string;
  readonly latencySloMicros: number;
  /** Whether its queries may be answered from the cache; left out: yes. */
  readonly cache?: boolean;
  /** SHA-256 of the keys that its queries must bring one of, in hexadecimal; left out or empty: none is needed. */
  readonly apiKeyHashes?: readonly string[];
}

export interface ModelVersion extends ServingSettings {
  readonly name: string;
  readonly version: string;
  readonly inputType: InputType;
  readonly labels: readonly string[];
  readonly containerName: string;
  readonly modelDataPath: string;
}

/** How a server of ours runs a model version: what is needed to start its replicas again. */
export interface DeploymentRecord {
  readonly name: string;
  readonly version: string;
  readonly inputType: InputType;
  /** Of the bundle, or of an image of the user's own. */
  readonly digest: string;
  /** Left out: replicas run the bundle itself. */
  readonly image?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly resources: Resources;
  readonly network: NetworkChoice;
  readonly replicas: WantedReplicas;
  /** Its replicas were stopped on purpose; `replicas` is what it goes back to. */
  readonly isStopped?: boolean;
}

/** How a model's queries are split between its versions. */
export interface Traffic {
  readonly model: string;
  /** Shares of the queries by version, in proportion to their sum. */
  readonly weights: Readonly<Record<string, number>>;
  /** A version that is sent copies of the queries, whose outputs are only compared. */
  readonly shadow?: string | undefined;
  readonly rule?: RolloutRule | undefined;
}

/** What tells a cluster's state from others, and what replicas rely on that outlive their server. */
export interface Identity {
  readonly stateId: string;
  /** Where they were told to connect to; 0: there were none yet. */
  readonly rpcPort: number;
}

/** What a cluster's state consists of, by table. */
export interface Tables {
  /** By name. */
  readonly applications: Application;
  /** By `name:version`, as `deployments`. */
  readonly models: ModelVersion;
  readonly deployments: DeploymentRecord;
  /** By the model's name. */
  readonly currentVersions: string;
  readonly traffic: Traffic;
  /** The models linked to an application, none or one, by its name. */
  readonly links: readonly string[];
  /** By their number, of fifteen digits. */
  readonly events: ClusterEvent;
  /** One entry. */
  readonly identity: Identity;
}

export type TableName = keyof Tables;
export const tableNames = [
  'applications',
  'models',
  'deployments',
  'currentVersions',
  'traffic',
  'links',
  'events',
  'identity',
] as const satisfies TableName[];

/** Sets what is at a key of a table, or deletes it. */
export type Change = {
  [Table in TableName]: {
    readonly table: Table;
    readonly key: string;
    /** Undefined: what is there is deleted. */
    readonly value: Tables[Table] | undefined;
    /** Nothing may be there already. */
    readonly isNew?: boolean;
  };
}[TableName];

/** Everything that a store holds. */
export type ClusterState = { readonly [Table in TableName]: Map<string, Tables[Table]> };

/** A replica as others see it. */
export interface ConnectedReplica {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly replicaId: number;
  readonly inputType: InputType;
}

/** Shows others which replicas are connected to this server. */
export interface ReplicaList {
  connected(replica: ConnectedReplica): void;
  /** To be told with what `connected` was told with. */
  gone(replica: ConnectedReplica): void;
}

/** Where a cluster's state is kept. */
export interface StateStore extends AsyncDisposable {
  /** Left out where nobody else could look. */
  readonly replicas?: ReplicaList;
  load(): Promise<ClusterState>;
  /**
   * Makes all of the changes or none, and resolves when they last as long as the store does. False, with nothing changed,
   * where a key of one that `isNew` is taken. Throws E_STORE_FAILED.
   */
  commit(changes: readonly Change[]): Promise<boolean>;
  /** Calls back with what others change in a store that several servers share. */
  follow(onChange: (changes: readonly Change[]) => void): void;
}

export const emptyState = (): ClusterState => ({
  applications: new Map(),
  models: new Map(),
  deployments: new Map(),
  currentVersions: new Map(),
  traffic: new Map(),
  links: new Map(),
  events: new Map(),
  identity: new Map(),
});

/** Brings a state up to changes. */
export function apply(state: ClusterState, changes: readonly Change[]): void {
  for (const { table, key, value } of changes) {
    const entries = state[table] as Map<string, Tables[TableName]>;
    if (value === undefined) entries.delete(key);
    else entries.set(key, value);
  }
}
