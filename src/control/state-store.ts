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
  /** Whether its queries may be answered from the cache. Default: yes. */
  readonly cache?: boolean;
  /**
   * SHA-256 hashes of its API keys, in hexadecimal. Queries must carry one of the keys; left out or empty: none is needed.
   */
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

/** How our server runs a model version: everything needed to start its replicas again. */
export interface DeploymentRecord {
  readonly name: string;
  readonly version: string;
  readonly inputType: InputType;
  /** The digest of the bundle, or of the user's own image. */
  readonly digest: string;
  /** Left out: replicas run the bundle itself. */
  readonly image?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly resources: Resources;
  readonly network: NetworkChoice;
  readonly replicas: WantedReplicas;
  /** Its replicas were stopped on purpose. `replicas` keeps the number for the next start. */
  readonly isStopped?: boolean;
}

/** How a model's queries are split between its versions. */
export interface Traffic {
  readonly model: string;
  /** Weights by version. A version's share of the queries is its weight divided by their sum. */
  readonly weights: Readonly<Record<string, number>>;
  /** A version that gets copies of the queries. Its outputs are only compared. */
  readonly shadow?: string | undefined;
  readonly rule?: RolloutRule | undefined;
}

/** Identifies a cluster's state, and keeps what replicas need that outlive their server. */
export interface Identity {
  readonly stateId: string;
  /** The port that replicas connect to; 0 before the first server. */
  readonly rpcPort: number;
}

/** The types of a cluster's state, by table. */
export interface Tables {
  /** By name. */
  readonly applications: Application;
  /** By `name:version`, like `deployments`. */
  readonly models: ModelVersion;
  readonly deployments: DeploymentRecord;
  /** By the model's name. */
  readonly currentVersions: string;
  readonly traffic: Traffic;
  /** The models linked to an application (none or one), by its name. */
  readonly links: readonly string[];
  /** By event id, padded to fifteen digits. */
  readonly events: ClusterEvent;
  /** A single entry. */
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

/** Sets or deletes one entry of a table. */
export type Change = {
  [Table in TableName]: {
    readonly table: Table;
    readonly key: string;
    /** Undefined deletes the entry. */
    readonly value: Tables[Table] | undefined;
    /** The key must not exist yet. */
    readonly isNew?: boolean;
  };
}[TableName];

/** Everything in a store. */
export type ClusterState = { readonly [Table in TableName]: Map<string, Tables[Table]> };

/** A replica, as published to others. */
export interface ConnectedReplica {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly replicaId: number;
  readonly inputType: InputType;
}

/** Publishes which replicas are connected to this server. */
export interface ReplicaList {
  connected(replica: ConnectedReplica): void;
  /** Takes the same object that `connected` took. */
  gone(replica: ConnectedReplica): void;
}

/** Stores a cluster's state. */
export interface StateStore extends AsyncDisposable {
  /** Left out if nobody else could read it. */
  readonly replicas?: ReplicaList;
  load(): Promise<ClusterState>;
  /**
   * Applies all changes or none, and resolves when they are persisted. Returns false, with nothing changed, if the key of a
   * change with `isNew` exists. Throws E_STORE_FAILED.
   */
  commit(changes: readonly Change[]): Promise<boolean>;
  /** Calls back with the changes that other servers make in a shared store. */
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

/** Applies changes to a state. */
export function apply(state: ClusterState, changes: readonly Change[]): void {
  for (const { table, key, value } of changes) {
    const entries = state[table] as Map<string, Tables[TableName]>;
    if (value === undefined) entries.delete(key);
    else entries.set(key, value);
  }
}
