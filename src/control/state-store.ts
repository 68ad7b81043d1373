import type { InputType } from '../protocol/input-types.ts';

export interface Application {
  readonly name: string;
  readonly inputType: InputType;
  readonly defaultOutput: string;
  readonly latencySloMicros: number;
  /** Whether its queries may be answered from the cache; left out: yes. */
  readonly cache?: boolean;
}

export interface ModelVersion {
  readonly name: string;
  readonly version: string;
  readonly inputType: InputType;
  readonly labels: readonly string[];
  readonly containerName: string;
  readonly modelDataPath: string;
  /** Inputs a batch at most; -1: adaptive. */
  readonly batchSize: number;
  /** How long a batch that is not full waits for more; left out: not at all. */
  readonly batchDelayMicros?: number;
  /** Whether a slow batch is sent to a second replica. */
  readonly hedge?: boolean;
  /** Whether its outputs are kept; left out: yes. */
  readonly cache?: boolean;
  /** For how long; left out: as long as there is room. */
  readonly cacheTtlMicros?: number;
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
