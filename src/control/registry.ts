import { ClipperError } from '../errors.ts';
import type { InputType } from '../protocol/input-types.ts';
import { ClusterView } from './cluster-view.ts';
import { checkLabel, checkName, checkVersion, modelKey } from './names.ts';
import type { Application, Change, ClusterState, DeploymentRecord, ModelVersion, StateStore, Traffic } from './state-store.ts';

export interface AddModelOptions {
  /** Whether to make it the current version. */
  readonly isCurrent?: boolean;
  /** How our server runs it. */
  readonly deployment?: DeploymentRecord;
}

interface OpenOptions {
  /** The store's content, if already loaded. */
  readonly state?: ClusterState;
  /** Called with each application that another server deletes from a shared store. */
  readonly onDeletedElsewhere?: (application: string) => void;
}

/**
 * The rules of management: what may be added, linked, switched and deleted. Reads are answered from memory. A change shows
 * here only after it is stored.
 */
export class Registry extends ClusterView {
  readonly #store: StateStore;
  #changing: Promise<unknown> = Promise.resolve();

  private constructor(store: StateStore, { state, onDeletedElsewhere }: Required<OpenOptions>) {
    super(state);
    this.#store = store;
    store.follow((changes) => {
      this.apply(changes);
      for (const { table, key, value } of changes) if (table === 'applications' && value === undefined) onDeletedElsewhere(key);
    });
  }

  /** Throws E_STORE_FAILED. */
  static async open(store: StateStore, { state, onDeletedElsewhere = () => {} }: OpenOptions = {}): Promise<Registry> {
    return new Registry(store, { state: state ?? (await store.load()), onDeletedElsewhere });
  }

  /** Adds an application, linked to a model if one is given. Throws E_APPLICATION_EXISTS, and what `linkModel` throws. */
  addApplication(application: Application, model?: string): Promise<void> {
    return this.#change(async () => {
      const { name } = application;
      checkName(name, 'application name');
      const taken = new ClipperError('E_APPLICATION_EXISTS', `An application with name '${name}' already exists`);
      if (this.application(name) !== undefined) throw taken;
      const changes: Change[] = [{ table: 'applications', key: name, value: application, isNew: true }];
      if (model !== undefined) requireSameType(application, this.currentModel(model));
      if (model !== undefined) changes.push({ table: 'links', key: name, value: [model] });
      // When Clipper deletes an application, its links stay.
      else if (this.linkedModels(name).length > 0) changes.push({ table: 'links', key: name, value: undefined });
      await this.#commit(changes, taken);
    });
  }

  deleteApplication(name: string): Promise<void> {
    return this.#change(async () => {
      this.knownApplication(name);
      await this.#commit([
        { table: 'applications', key: name, value: undefined },
        { table: 'links', key: name, value: undefined },
      ]);
    });
  }

  /**
   * Adds the hash of an API key to an application. From then on its queries need one of its keys. Throws
   * E_UNKNOWN_APPLICATION.
   */
  addApiKey(name: string, hash: string): Promise<void> {
    return this.#changeApiKeys(name, (hashes) => [...hashes, hash]);
  }

  /** Throws E_UNKNOWN_APPLICATION, E_INVALID_OPTION if the application has no such key. */
  deleteApiKey(name: string, hash: string): Promise<void> {
    return this.#changeApiKeys(name, (hashes) => {
      if (hashes.includes(hash)) return hashes.filter((each) => each !== hash);
      throw new ClipperError('E_INVALID_OPTION', `The application '${name}' has no such key`);
    });
  }

  linkModel(applicationName: string, modelName: string): Promise<void> {
    return this.#change(async () => {
      const application = this.knownApplication(applicationName);
      const [linked] = this.linkedModels(applicationName);
      const alreadyLinked = (to: string): ClipperError =>
        new ClipperError('E_LINK_REFUSED', `The application '${applicationName}' is linked to ${to} already; unlink it first`);
      if (linked !== undefined) throw alreadyLinked(`model '${linked}'`);
      requireSameType(application, this.currentModel(modelName));
      const link = { table: 'links', key: applicationName, value: [modelName], isNew: true } as const;
      await this.#commit([link], alreadyLinked('a model'));
    });
  }

  unlinkModel(applicationName: string, modelName: string): Promise<void> {
    return this.#change(async () => {
      this.knownApplication(applicationName);
      if (!this.linkedModels(applicationName).includes(modelName)) {
        const message = `The model '${modelName}' is not linked to application '${applicationName}'`;
        throw new ClipperError('E_LINK_REFUSED', message);
      }
      await this.#commit([{ table: 'links', key: applicationName, value: undefined }]);
    });
  }

  /** Throws if a version can't be added: E_MODEL_EXISTS, E_INPUT_TYPE_MISMATCH, E_INVALID_OPTION. */
  checkAddable(model: ModelVersion): void {
    checkName(model.name, 'model name');
    checkVersion(model.version);
    model.labels.forEach(checkLabel);
    if (this.model(model.name, model.version) !== undefined) throw modelExists(model);
    this.#checkLinkedTypes(model);
  }

  /** Throws E_MODEL_EXISTS, E_INPUT_TYPE_MISMATCH, E_INVALID_OPTION. */
  addModel(model: ModelVersion, { isCurrent = false, deployment }: AddModelOptions = {}): Promise<void> {
    return this.#change(async () => {
      this.checkAddable(model);
      const { name, version } = model;
      const key = modelKey(name, version);
      const changes: Change[] = [{ table: 'models', key, value: model, isNew: true }];
      if (deployment !== undefined) changes.push({ table: 'deployments', key, value: deployment });
      if (isCurrent) changes.push(...this.#switchTo(name, version));
      await this.#commit(changes, modelExists(model));
    });
  }

  deleteModel(name: string, version: string): Promise<void> {
    return this.#change(async () => {
      this.knownModel(name, version);
      const key = modelKey(name, version);
      await this.#commit([
        { table: 'models', key, value: undefined },
        { table: 'deployments', key, value: undefined },
        ...this.#withoutVersion(name, version),
      ]);
    });
  }

  /** Removes a version from its model's traffic. */
  #withoutVersion(name: string, version: string): readonly Change[] {
    const traffic = this.traffic(name);
    if (traffic === undefined) return [];
    const { [version]: _deleted, ...weights } = traffic.weights;
    const { shadow, ...rest } = traffic;
    const left = { ...rest, weights, ...(shadow === version ? {} : { shadow }) };
    return [{ table: 'traffic', key: name, value: Object.keys(weights).length === 0 ? undefined : left }];
  }

  setCurrentVersion(name: string, version: string): Promise<void> {
    return this.#change(async () => {
      this.checkSwitchable(name, version);
      await this.#commit(this.#switchTo(name, version));
    });
  }

  /**
   * Splits a model's queries between versions; undefined sends all to the current one. Throws E_UNKNOWN_MODEL,
   * E_INPUT_TYPE_MISMATCH.
   */
  setTraffic(name: string, traffic: Traffic | undefined): Promise<void> {
    return this.#change(async () => {
      const versions =
        traffic === undefined ? [] : [...Object.keys(traffic.weights), ...(traffic.shadow === undefined ? [] : [traffic.shadow])];
      for (const version of versions) this.checkSwitchable(name, version);
      if (this.versionsOf(name).length === 0) throw this.noCurrentVersion(name);
      await this.#commit([{ table: 'traffic', key: name, value: traffic }]);
    });
  }

  /** Makes a version current, and ends any split: the current version gets all queries. */
  #switchTo(name: string, version: string): readonly Change[] {
    const switched: Change = { table: 'currentVersions', key: name, value: version };
    return this.traffic(name) === undefined ? [switched] : [switched, { table: 'traffic', key: name, value: undefined }];
  }

  /** Changes how a version is run. Does nothing if our server doesn't run it. */
  changeDeployment(name: string, version: string, change: Partial<DeploymentRecord>): Promise<void> {
    return this.#change(async () => {
      const before = this.deployment(name, version);
      if (before === undefined) return;
      await this.#commit([{ table: 'deployments', key: modelKey(name, version), value: { ...before, ...change } }]);
    });
  }

  /** Throws if a version can't become the current one: E_UNKNOWN_MODEL, E_INPUT_TYPE_MISMATCH. */
  checkSwitchable(name: string, version: string): void {
    this.#checkLinkedTypes(this.knownModel(name, version));
  }

  /** Throws E_INPUT_TYPE_MISMATCH if an application of another input type is linked to the model. */
  #checkLinkedTypes(model: ModelVersion): void {
    for (const [name, models] of this.links) {
      const application = this.application(name);
      if (application !== undefined && models.includes(model.name)) requireSameType(application, model);
    }
  }

  #changeApiKeys(name: string, change: (hashes: readonly string[]) => readonly string[]): Promise<void> {
    return this.#change(async () => {
      const application = this.knownApplication(name);
      const apiKeyHashes = change(application.apiKeyHashes ?? []);
      await this.#commit([{ table: 'applications', key: name, value: { ...application, apiKeyHashes } }]);
    });
  }

  async #commit(changes: readonly Change[], taken?: ClipperError): Promise<void> {
    if (!(await this.#store.commit(changes)) && taken !== undefined) throw taken;
    this.apply(changes);
  }

  /** Runs one change at a time, so that what was checked still holds when the change is stored. */
  #change<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(change);
    this.#changing = done.catch(() => {});
    return done;
  }
}

function modelExists({ name, version }: ModelVersion): ClipperError {
  const message = `A model with name '${name}' and version '${version}' already exists`;
  return new ClipperError('E_MODEL_EXISTS', `${message}. Leave the version out for the next free one`);
}

function requireSameType(application: { name: string; inputType: InputType }, model: ModelVersion): void {
  if (application.inputType === model.inputType) return;
  throw new ClipperError(
    'E_INPUT_TYPE_MISMATCH',
    `Model '${model.name}:${model.version}' takes ${model.inputType}, but the application '${application.name}' takes ${application.inputType}`,
  );
}
