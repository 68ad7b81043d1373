import type { NetworkChoice } from '../../contract/deploys.ts';
import { type ContainerFacts, type ContainerSettings, removeContainer, runContainer, stateOf } from '../../docker/containers.ts';
import type { DockerEngine } from '../../docker/engine.ts';
import { findImage, imagesNamed } from '../../docker/images.ts';
import { labels, runtimeRepository } from '../../docker/labels.ts';
import { isForEngine } from '../../docker/pull.ts';
import { ClipperError } from '../../errors.ts';
import type { DockerCluster } from './cluster.ts';
import type { DockerContainers } from './containers.ts';
import { sandboxSettings } from './settings.ts';

/**
 * Containers that only hold a network, one for each of the cluster's networks. Replicas of closures join it, as containers
 * join a Kubernetes pod: creating a network for each would take most of a container's start time.
 */
export class DockerSandboxes {
  readonly #engine: DockerEngine;
  readonly #cluster: DockerCluster;
  readonly #containers: DockerContainers;
  readonly #onLost: (id: string) => void;
  readonly #running = new Map<NetworkChoice, string>();
  #joining: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /** `onLost` is called when a sandbox has ended, and its replicas have lost their network. */
  constructor(
    engine: DockerEngine,
    cluster: DockerCluster,
    { containers, onLost }: { containers: DockerContainers; onLost: (id: string) => void },
  ) {
    this.#engine = engine;
    this.#cluster = cluster;
    this.#containers = containers;
    this.#onLost = onLost;
  }

  /** Starts the sandbox that most replicas join, if the engine has an image for it. */
  async prepare(): Promise<void> {
    for (const name of await imagesNamed(this.#engine, runtimeRepository)) {
      const image = await findImage(this.#engine, name);
      // Some images may be for other platforms.
      if (image !== undefined && isForEngine(this.#engine, image)) return void (await this.join('cluster', image.id));
    }
  }

  /** The id of a running sandbox. If one must be started, it uses `image`, which has Node. */
  join(choice: NetworkChoice, image: string): Promise<string> {
    // One at a time, because all share one sandbox.
    const joined = this.#joining.then(() => this.#join(choice, image));
    this.#joining = joined.catch(() => {});
    return joined;
  }

  /** Starts no more sandboxes, and waits for one that is starting, so that it can be removed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#joining;
  }

  async #join(choice: NetworkChoice, image: string): Promise<string> {
    if (this.#isClosed) throw new ClipperError('E_CANCELLED', 'The server is closing');
    const known = this.#running.get(choice);
    if (known !== undefined && (await stateOf(this.#engine, known))?.isRunning === true) return known;
    const { name: network, serverAddress } = await this.#cluster.network(choice);
    const all = { ...this.#cluster.labels, [labels.sandbox]: choice };
    const settings = sandboxSettings({ name: `${network}_network`, image, labels: all, network, serverAddress });
    const id = (await this.#leftOne(choice, settings)) ?? (await this.#start(settings));
    this.#running.set(choice, id);
    void this.#containers.ended(id).then((state) => state !== undefined && this.#onLost(id));
    return id;
  }

  /** A sandbox of this network that an earlier server left. */
  async #leftOne(choice: NetworkChoice, settings: ContainerSettings): Promise<string | undefined> {
    const left = await this.#cluster.left(`${labels.sandbox}=${choice}`);
    const isSame = ({ isRunning, labels: its }: ContainerFacts): boolean =>
      isRunning && its[labels.settings] === settings.Labels?.[labels.settings];
    return left.find(isSame)?.id;
  }

  async #start(settings: ContainerSettings): Promise<string> {
    // Its predecessor, or one that was started although the engine's answer got lost.
    await removeContainer(this.#engine, settings.name ?? '');
    return runContainer(this.#engine, settings);
  }
}
