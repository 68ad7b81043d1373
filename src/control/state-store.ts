import type { InputType } from '../protocol/input-types.ts';

export interface Application {
  readonly name: string;
  readonly inputType: InputType;
  readonly defaultOutput: string;
  readonly latencySloMicros: number;
  /** Whether its queries may be answered from the cache; left out: yes. */
  readonly cache?: boolean;
}

/** How the queries of a model version are batched and their outputs kept. */
export interface ServingSettings {
  /** Inputs a batch at most; -1: adaptive. */
  readonly batchSize: number;
  /** How long a batch that is not full waits for more; left out: not at all. */
  readonly batchDelayMicros?: number;
  /** Whether a batch that is slow is sent to a second replica too; left out: no. */
  readonly hedge?: boolean;
  /** Whether outputs are kept, and for how long; left out: as long as there is room. */
  readonly cache?: boolean | { readonly ttlMicros: number };
}

export interface ModelVersion extends ServingSettings {
  readonly name: string;
  readonly version: string;
  readonly inputType: InputType;
  readonly labels: readonly string[];
  readonly containerName: string;
  readonly modelDataPath: string;
}

/** Where a cluster's state is kept: applications, model versions, current versions and links. */
export interface StateStore extends AsyncDisposable {
  load(): Promise<ClusterState>;
  putApplication(application: Application): Promise<void>;
  deleteApplication(name: string): Promise<void>;
  putModel(model: ModelVersion): Promise<void>;
  deleteModel(name: string, version: string): Promise<void>;
  putCurrentVersion(name: string, version: string): Promise<void>;
  putLinks(application: string, models: readonly string[]): Promise<void>;
}

/** Everything a store holds, as it was when loaded. */
export interface ClusterState {
  readonly applications: readonly Application[];
  readonly models: readonly ModelVersion[];
  readonly currentVersions: ReadonlyMap<string, string>;
  readonly links: ReadonlyMap<string, readonly string[]>;
}
