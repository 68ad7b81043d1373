import { modelKey } from './names.ts';
import type { Application, ClusterState, ModelVersion, StateStore } from './state-store.ts';

/** State that lasts as long as the server's process. */
export class MemoryStore implements StateStore {
  readonly #applications = new Map<string, Application>();
  readonly #models = new Map<string, ModelVersion>();
  readonly #currentVersions = new Map<string, string>();
  readonly #links = new Map<string, readonly string[]>();

  async load(): Promise<ClusterState> {
    return {
      applications: [...this.#applications.values()],
      models: [...this.#models.values()],
      currentVersions: new Map(this.#currentVersions),
      links: new Map(this.#links),
    };
  }

  async putApplication(application: Application): Promise<void> {
    this.#applications.set(application.name, application);
  }

  async deleteApplication(name: string): Promise<void> {
    this.#applications.delete(name);
    this.#links.delete(name);
  }

  async putModel(model: ModelVersion): Promise<void> {
    this.#models.set(modelKey(model.name, model.version), model);
  }

  async deleteModel(name: string, version: string): Promise<void> {
    this.#models.delete(modelKey(name, version));
  }

  async putCurrentVersion(name: string, version: string): Promise<void> {
    this.#currentVersions.set(name, version);
  }

  async putLinks(application: string, models: readonly string[]): Promise<void> {
    this.#links.set(application, models);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
