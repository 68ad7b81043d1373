import { ClipperError } from '../errors.ts';
import { modelKey } from './names.ts';
import {
  type Application,
  apply,
  type Change,
  type ClusterState,
  type DeploymentRecord,
  type ModelVersion,
  type Traffic,
} from './state-store.ts';

/** Read access to a cluster's state, from memory. */
export class ClusterView {
  readonly #state: ClusterState;
  readonly #deletions = new Map<string, number>();

  constructor(state: ClusterState) {
    this.#state = state;
  }

  get applications(): readonly Application[] {
    return [...this.#state.applications.values()];
  }

  get models(): readonly ModelVersion[] {
    return [...this.#state.models.values()];
  }

  /** The model versions that our server runs, as opposed to those that were only registered. */
  get deployments(): readonly DeploymentRecord[] {
    return [...this.#state.deployments.values()];
  }

  application(name: string): Application | undefined {
    return this.#state.applications.get(name);
  }

  model(name: string, version: string): ModelVersion | undefined {
    return this.#state.models.get(modelKey(name, version));
  }

  deployment(name: string, version: string): DeploymentRecord | undefined {
    return this.#state.deployments.get(modelKey(name, version));
  }

  currentVersion(name: string): string | undefined {
    return this.#state.currentVersions.get(name);
  }

  /** How a model's queries are split; undefined if all go to the current version. */
  traffic(name: string): Traffic | undefined {
    return this.#state.traffic.get(name);
  }

  get traffics(): readonly Traffic[] {
    return [...this.#state.traffic.values()];
  }

  /** Distinguishes versions that were deleted and added again under the same name. */
  generation(name: string, version: string): number {
    return this.#deletions.get(modelKey(name, version)) ?? 0;
  }

  /** The models linked to an application: none or one. */
  linkedModels(application: string): readonly string[] {
    return this.#state.links.get(application) ?? [];
  }

  versionsOf(name: string): readonly ModelVersion[] {
    return this.models.filter((model) => model.name === name);
  }

  /** The integer after the largest registered version, `1` for a new model. */
  nextVersion(name: string): string {
    const used = this.versionsOf(name).map(({ version }) => (/^\d+$/.test(version) ? Number(version) : 0));
    return String(Math.max(0, ...used) + 1);
  }

  /** Throws E_UNKNOWN_APPLICATION. */
  knownApplication(name: string): Application {
    const application = this.application(name);
    if (application === undefined) {
      throw new ClipperError('E_UNKNOWN_APPLICATION', `No application with name '${name}' exists`);
    }
    return application;
  }

  /** Throws E_UNKNOWN_MODEL. */
  knownModel(name: string, version: string): ModelVersion {
    const model = this.model(name, version);
    if (model !== undefined) return model;
    const versions = this.versionsOf(name).map((known) => known.version);
    const known = versions.length === 0 ? 'there is no such model' : `its versions are ${versions.join(', ')}`;
    throw new ClipperError('E_UNKNOWN_MODEL', `No model with name '${name}' and version '${version}' exists: ${known}`);
  }

  /** Throws E_UNKNOWN_MODEL if the model, or the given version of it, doesn't exist. */
  requireModel(name: string, version?: string): void {
    if (version !== undefined) this.knownModel(name, version);
    else if (this.versionsOf(name).length === 0) throw this.noCurrentVersion(name);
  }

  /** Throws E_UNKNOWN_MODEL if the model has no current version. */
  currentModel(name: string): ModelVersion {
    const version = this.currentVersion(name);
    const model = version === undefined ? undefined : this.model(name, version);
    if (model === undefined) throw this.noCurrentVersion(name);
    return model;
  }

  get links(): ReadonlyMap<string, readonly string[]> {
    return this.#state.links;
  }

  protected noCurrentVersion(name: string): ClipperError {
    const versions = this.versionsOf(name).map(({ version }) => version);
    if (versions.length === 0) return new ClipperError('E_UNKNOWN_MODEL', `No model with name '${name}' exists`);
    const message = `The current version of model '${name}' was deleted; set one of its versions ${versions.join(', ')} first`;
    return new ClipperError('E_UNKNOWN_MODEL', message);
  }

  /** Applies changes to the state. */
  protected apply(changes: readonly Change[]): void {
    for (const { table, key, value } of changes) {
      const isDeleted = table === 'models' && value === undefined && this.#state.models.has(key);
      if (isDeleted) this.#deletions.set(key, (this.#deletions.get(key) ?? 0) + 1);
    }
    apply(this.#state, changes);
  }
}
