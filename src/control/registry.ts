import { ClipperError } from '../errors.ts';
import type { InputType } from '../protocol/input-types.ts';
import { checkLabel, checkName, checkVersion, modelKey } from './names.ts';
import type { Application, ModelVersion, StateStore } from './state-store.ts';

/**
 * The rules of management: what exists, what is current and what is linked. Reads are answered from memory; a change is
 * in the store before it shows here.
 */
export class Registry {
  readonly #store: StateStore;
  readonly #applications: Map<string, Application>;
  readonly #models: Map<string, ModelVersion>;
  readonly #currentVersions: Map<string, string>;
  readonly #links: Map<string, readonly string[]>;
  readonly #generations = new Map<string, number>();
  #changing: Promise<unknown> = Promise.resolve();

  private constructor(store: StateStore, state: Awaited<ReturnType<StateStore['load']>>) {
    this.#store = store;
    this.#applications = new Map(state.applications.map((application) => [application.name, application]));
    this.#models = new Map(state.models.map((model) => [modelKey(model.name, model.version), model]));
    this.#currentVersions = new Map(state.currentVersions);
    this.#links = new Map(state.links);
  }

  static async open(store: StateStore): Promise<Registry> {
    return new Registry(store, await store.load());
  }

  get applications(): readonly Application[] {
    return [...this.#applications.values()];
  }

  get models(): readonly ModelVersion[] {
    return [...this.#models.values()];
  }

  application(name: string): Application | undefined {
    return this.#applications.get(name);
  }

  model(name: string, version: string): ModelVersion | undefined {
    return this.#models.get(modelKey(name, version));
  }

  currentVersion(name: string): string | undefined {
    return this.#currentVersions.get(name);
  }

  /** Counts how often a version of this name was added, since a deleted one may be added anew. */
  generation(name: string, version: string): number {
    return this.#generations.get(modelKey(name, version)) ?? 0;
  }

  /** The models linked to an application: none or one. */
  linkedModels(application: string): readonly string[] {
    return this.#links.get(application) ?? [];
  }

  versionsOf(name: string): readonly ModelVersion[] {
    return this.models.filter((model) => model.name === name);
  }

  /** The integer after the largest that is in use, `1` for a new model. */
  nextVersion(name: string): string {
    const used = this.versionsOf(name).map(({ version }) => (/^\d+$/.test(version) ? Number(version) : 0));
    return String(Math.max(0, ...used) + 1);
  }

  addApplication(application: Application): Promise<void> {
    return this.#change(async () => {
      checkName(application.name, 'application name');
      if (this.#applications.has(application.name)) {
        throw new ClipperError('E_APPLICATION_EXISTS', `An application with name '${application.name}' already exists`);
      }
      await this.#store.putApplication(application);
      this.#applications.set(application.name, application);
    });
  }

  deleteApplication(name: string): Promise<void> {
    return this.#change(async () => {
      this.knownApplication(name);
      await this.#store.deleteApplication(name);
      this.#applications.delete(name);
      this.#links.delete(name);
    });
  }

  linkModel(applicationName: string, modelName: string): Promise<void> {
    return this.#change(async () => {
      const application = this.knownApplication(applicationName);
      const [linked] = this.linkedModels(applicationName);
      if (linked !== undefined) {
        const message = `The application '${applicationName}' is linked to model '${linked}' already; unlink it first`;
        throw new ClipperError('E_LINK_REFUSED', message);
      }
      const version = this.currentVersion(modelName);
      const model = version === undefined ? undefined : this.model(modelName, version);
      if (model === undefined) throw this.#noCurrentVersion(modelName);
      requireSameType(application, model);
      await this.#store.putLinks(applicationName, [modelName]);
      this.#links.set(applicationName, [modelName]);
    });
  }

  unlinkModel(applicationName: string, modelName: string): Promise<void> {
    return this.#change(async () => {
      this.knownApplication(applicationName);
      if (!this.linkedModels(applicationName).includes(modelName)) {
        const message = `The model '${modelName}' is not linked to application '${applicationName}'`;
        throw new ClipperError('E_LINK_REFUSED', message);
      }
      await this.#store.putLinks(applicationName, []);
      this.#links.delete(applicationName);
    });
  }

  /** Throws where a version could not be added: E_MODEL_EXISTS, E_INPUT_TYPE_MISMATCH, E_INVALID_OPTION. */
  checkAddable(model: ModelVersion): void {
    checkName(model.name, 'model name');
    checkVersion(model.version);
    model.labels.forEach(checkLabel);
    if (this.model(model.name, model.version) !== undefined) {
      const message = `A model with name '${model.name}' and version '${model.version}' already exists`;
      throw new ClipperError('E_MODEL_EXISTS', `${message}. Leave the version out for the next free one`);
    }
    this.#checkLinkedTypes(model);
  }

  /** Adds a version without making it current. Throws E_MODEL_EXISTS, E_INPUT_TYPE_MISMATCH. */
  addModel(model: ModelVersion): Promise<void> {
    return this.#change(async () => {
      this.checkAddable(model);
      await this.#store.putModel(model);
      this.#models.set(modelKey(model.name, model.version), model);
      this.#generations.set(modelKey(model.name, model.version), this.generation(model.name, model.version) + 1);
    });
  }

  deleteModel(name: string, version: string): Promise<void> {
    return this.#change(async () => {
      this.#knownModel(name, version);
      await this.#store.deleteModel(name, version);
      this.#models.delete(modelKey(name, version));
    });
  }

  setCurrentVersion(name: string, version: string): Promise<void> {
    return this.#change(async () => {
      this.#checkLinkedTypes(this.#knownModel(name, version));
      await this.#store.putCurrentVersion(name, version);
      this.#currentVersions.set(name, version);
    });
  }

  /** Throws E_INPUT_TYPE_MISMATCH where an application of another type is linked to the model. */
  #checkLinkedTypes(model: ModelVersion): void {
    for (const [application, models] of this.#links) {
      if (models.includes(model.name)) requireSameType(this.knownApplication(application), model);
    }
  }

  /** Throws E_UNKNOWN_APPLICATION. */
  knownApplication(name: string): Application {
    const application = this.application(name);
    if (application === undefined) {
      throw new ClipperError('E_UNKNOWN_APPLICATION', `No application with name '${name}' exists`);
    }
    return application;
  }

  #knownModel(name: string, version: string): ModelVersion {
    const model = this.model(name, version);
    if (model !== undefined) return model;
    const versions = this.versionsOf(name).map((known) => known.version);
    const known = versions.length === 0 ? 'there is no such model' : `its versions are ${versions.join(', ')}`;
    throw new ClipperError('E_UNKNOWN_MODEL', `No model with name '${name}' and version '${version}' exists: ${known}`);
  }

  #noCurrentVersion(name: string): ClipperError {
    const versions = this.versionsOf(name).map(({ version }) => version);
    if (versions.length === 0) return new ClipperError('E_UNKNOWN_MODEL', `No model with name '${name}' exists`);
    const message = `The current version of model '${name}' was deleted; set one of its versions ${versions.join(', ')} first`;
    return new ClipperError('E_UNKNOWN_MODEL', message);
  }

  /** One change at a time, so that a rule holds from its check until it is stored. */
  #change<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(change);
    this.#changing = done.catch(() => {});
    return done;
  }
}

function requireSameType(application: { name: string; inputType: InputType }, model: ModelVersion): void {
  if (application.inputType === model.inputType) return;
  throw new ClipperError(
    'E_INPUT_TYPE_MISMATCH',
    `Model '${model.name}:${model.version}' takes ${model.inputType}, but the application '${application.name}' takes ${application.inputType}`,
  );
}
