import { setTimeout } from 'node:timers/promises';
import { removeContainer, runContainer, stateOf, waitForContainer } from '../docker/containers.ts';
import type { DockerEngine } from '../docker/engine.ts';
import { imagesNamed } from '../docker/images.ts';
import { labels, runtimeRepository } from '../docker/labels.ts';
import type { NetworkChoice } from './backend.ts';
import type { DockerCluster } from './docker-cluster.ts';
import { sandboxSettings } from './docker-settings.ts';

const engineRetryMs = 500;

/**
 * Containers that do nothing but hold a network, one for each that a cluster has. Replicas of closures join it, as
 * containers of a Kubernetes pod do: to make a network for each would take most of the time that a container takes to start.
 */
export class DockerSandboxes {
  readonly #engine: DockerEngine;
  readonly #cluster: DockerCluster;
  readonly #name: string;
  readonly #onLost: (id: string) => void;
  readonly #running = new Map<NetworkChoice, string>();
  #joining: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /** `onLost`: a sandbox ended, and what joined it has no network any more. */
  constructor(engine: DockerEngine, cluster: DockerCluster, { name, onLost }: { name: string; onLost: (id: string) => void }) {
    this.#engine = engine;
    this.#cluster = cluster;
    this.#name = name;
    this.#onLost = onLost;
  }

  /** Starts the one that replicas mostly join beforehand, where the engine has an image for it. */
  async prepare(): Promise<void> {
    const [image] = await imagesNamed(this.#engine, runtimeRepository);
    if (image !== undefined) await this.join('cluster', image);
  }

  /** The id of a running sandbox; one that has to be started is started from the image, which has Node. */
  join(choice: NetworkChoice, image: string): Promise<string> {
    // One after the other: there is one sandbox for all.
    const joined = this.#joining.then(() => this.#join(choice, image));
    this.#joining = joined.catch(() => {});
    return joined;
  }

  /** To be called before its containers are taken away. */
  close(): void {
    this.#isClosed = true;
  }

  async #join(choice: NetworkChoice, image: string): Promise<string> {
    const known = this.#running.get(choice);
    if (known !== undefined && (await stateOf(this.#engine, known))?.isRunning === true) return known;
    if (known !== undefined) await removeContainer(this.#engine, known);
    const { name: network, serverAddress } = await this.#cluster.network(choice);
    const name = choice === 'cluster' ? `clipper-${this.#name}-network` : `clipper-${this.#name}-network-isolated`;
    const all = { ...this.#cluster.labels, [labels.sandbox]: choice };
    const id = await runContainer(this.#engine, sandboxSettings({ name, image, labels: all, network, serverAddress }));
    this.#running.set(choice, id);
    void this.#watch(id);
    return id;
  }

  async #watch(id: string): Promise<void> {
    while (!this.#isClosed) {
      try {
        await waitForContainer(this.#engine, id);
        // It may outlive a restart of its engine.
        if ((await stateOf(this.#engine, id))?.isRunning === true) continue;
        if (!this.#isClosed) this.#onLost(id);
        return;
      } catch {
        await setTimeout(engineRetryMs);
      }
    }
  }
}
