import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { stateOf } from '../docker/containers.ts';
import type { DockerEngine } from '../docker/engine.ts';
import { labels } from '../docker/labels.ts';
import {
  createNetwork,
  joinNetwork,
  leaveNetwork,
  type NetworkFacts,
  networksLabelled,
  removeNetwork,
} from '../docker/networks.ts';
import { ClipperError } from '../errors.ts';
import type { NetworkChoice } from './backend.ts';
import { serverIdentity, sweepDeadServers, sweepRuntimeImages, sweepServer } from './docker-sweep.ts';

/** A server that was told to end may take so long. */
const handoverMs = 8_000;

/** A network of a cluster, and where its containers find the server. */
export interface ClusterNetwork {
  readonly name: string;
  /** As a container's list of hosts has it. */
  readonly serverAddress: string;
}

/** What a cluster has on a Docker engine besides its containers: networks and images, all found again by their labels and names. */
export class DockerCluster {
  readonly labels: Readonly<Record<string, string>>;
  readonly #engine: DockerEngine;
  readonly #name: string;
  /** Makes the server listen on an address of this machine too. */
  readonly #listenOn: (address: string) => Promise<void>;
  readonly #networks = new Map<NetworkChoice, Promise<ClusterNetwork>>();

  private constructor(engine: DockerEngine, name: string, listenOn: (address: string) => Promise<void>) {
    this.#engine = engine;
    this.#name = name;
    this.#listenOn = listenOn;
    this.labels = { [labels.cluster]: name, [labels.server]: serverIdentity() };
  }

  /** Takes a cluster's name on an engine, after sweeping what dead servers left there. Throws E_CLUSTER_EXISTS. */
  static async open(engine: DockerEngine, name: string, listenOn: (address: string) => Promise<void>): Promise<DockerCluster> {
    const cluster = new DockerCluster(engine, name, listenOn);
    await sweepDeadServers(engine);
    await cluster.network('cluster');
    void sweepRuntimeImages(engine).catch(() => {});
    return cluster;
  }

  /** The network of the containers, or the one that leads nowhere but to the server; made when it is first asked for. */
  network(choice: NetworkChoice): Promise<ClusterNetwork> {
    const known = this.#networks.get(choice);
    if (known !== undefined) return known;
    const opened = this.#openNetwork(choice);
    this.#networks.set(choice, opened);
    opened.catch(() => this.#networks.delete(choice));
    return opened;
  }

  async #openNetwork(choice: NetworkChoice): Promise<ClusterNetwork> {
    // Of what no cluster's name has in it, so that it can't be another one's.
    const name = choice === 'cluster' ? `clipper-${this.#name}` : `clipper-${this.#name}_isolated`;
    const made = await this.#makeNetwork(name, choice === 'none');
    const serverAddress = await this.#reachServer(made).catch(async (error: unknown) => {
      await removeNetwork(this.#engine, made.id);
      throw error;
    });
    return { name, serverAddress };
  }

  async #makeNetwork(name: string, isInternal: boolean): Promise<NetworkFacts> {
    const end = performance.now() + handoverMs;
    for (;;) {
      const made = await createNetwork(this.#engine, { name, labels: this.labels, isInternal });
      if (made !== undefined) return made;
      if (performance.now() > end) throw clusterExists(this.#name, name);
      await setTimeout(200);
      await sweepDeadServers(this.#engine);
    }
  }

  /** Where containers of a network find this server. */
  async #reachServer(network: NetworkFacts): Promise<string> {
    const self = await ownContainer(this.#engine);
    if (self !== undefined) {
      const address = await joinNetwork(this.#engine, network, self);
      await this.#listenOn(address);
      return address;
    }
    try {
      await this.#listenOn(network.gateway);
      return network.gateway;
    } catch (error) {
      // The engine runs in a machine of its own, which leads what is sent to it to this one's loopback.
      if (isNotOwnAddress(error)) return 'host-gateway';
      throw error;
    }
  }

  /** Takes everything away that the cluster has on the engine. */
  async remove(): Promise<void> {
    const self = await ownContainer(this.#engine);
    if (self !== undefined) {
      for (const { id } of await networksLabelled(this.#engine, `${labels.server}=${serverIdentity()}`))
        await leaveNetwork(this.#engine, id, self);
    }
    await sweepServer(this.#engine, serverIdentity(), this.#name);
  }
}

/** The container that this process runs in, where it is one of the engine's. */
async function ownContainer(engine: DockerEngine): Promise<string | undefined> {
  if (!existsSync('/.dockerenv')) return undefined;
  return (await stateOf(engine, hostname())) === undefined ? undefined : hostname();
}

const isNotOwnAddress = (error: unknown): boolean =>
  ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRNOTAVAIL';

const clusterExists = (cluster: string, network: string): ClipperError =>
  new ClipperError(
    'E_CLUSTER_EXISTS',
    `A cluster with name '${cluster}' is on this Docker engine already: it has the network ${network}.\n  Fix: connectClipper() to it, or give startClipper another name; where its server is gone for good, remove its containers and the network`,
  );
