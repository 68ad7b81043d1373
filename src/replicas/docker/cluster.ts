import { setTimeout } from 'node:timers/promises';
import type { NetworkChoice } from '../../contract/deploys.ts';
import { type ContainerFacts, containersLabelled } from '../../docker/containers.ts';
import type { DockerEngine } from '../../docker/engine.ts';
import { labels } from '../../docker/labels.ts';
import {
  createNetwork,
  joinNetwork,
  leaveNetwork,
  type NetworkFacts,
  networksLabelled,
  removeNetwork,
} from '../../docker/networks.ts';
import { isOwnerAlive, ownIdentity } from '../../docker/owner.ts';
import { inherit, Ownership } from '../../docker/ownership.ts';
import { ClipperError } from '../../errors.ts';
import { hostGateway, ownContainer } from './place.ts';
import { sweepDeadServers, sweepRuntimeImages, sweepServer, thingsLabelled } from './sweep.ts';

/** How long to wait for a terminating server to release its network. */
const handoverMs = 8_000;

/** One of the cluster's networks, and the server's address in it. */
export interface ClusterNetwork {
  readonly name: string;
  /** An IP address or `host-gateway`, as `ExtraHosts` takes it. */
  readonly serverAddress: string;
}

export interface DockerClusterOptions {
  readonly cluster: string;
  /** Take over what a killed server with this state left. Left out: take over nothing. */
  readonly stateId?: string | undefined;
  /** Makes the server also listen on an address of this machine. */
  readonly listenOn: (address: string) => Promise<void>;
}

/** The networks and images of a cluster on a Docker engine. They are found again by their labels and names. */
export class DockerCluster {
  readonly labels: Readonly<Record<string, string>>;
  readonly #engine: DockerEngine;
  readonly #name: string;
  readonly #options: DockerClusterOptions;
  readonly #networks = new Map<NetworkChoice, Promise<ClusterNetwork>>();
  /** Earlier servers whose containers and networks this one took over. */
  readonly #inherited = new Set<string>();

  private constructor(engine: DockerEngine, options: DockerClusterOptions) {
    const { cluster, stateId } = options;
    this.#engine = engine;
    this.#name = cluster;
    this.#options = options;
    const ofState = stateId === undefined ? {} : { [labels.state]: stateId };
    this.labels = { [labels.cluster]: cluster, [labels.server]: ownIdentity(), ...ofState };
  }

  /** Claims a cluster's name on an engine, after sweeping what dead servers left there. Throws E_CLUSTER_EXISTS. */
  static async open(engine: DockerEngine, options: DockerClusterOptions): Promise<DockerCluster> {
    const cluster = new DockerCluster(engine, options);
    await cluster.#clear();
    await cluster.network('cluster');
    void sweepRuntimeImages(engine).catch(() => {});
    return cluster;
  }

  /** The containers with these labels that were taken over from earlier servers. */
  async left(...wanted: readonly string[]): Promise<readonly ContainerFacts[]> {
    if (this.#inherited.size === 0) return [];
    const all = await containersLabelled(this.#engine, `${labels.cluster}=${this.#name}`, ...wanted);
    return all.filter(({ labels: its }) => this.#inherited.has(its[labels.server] ?? ''));
  }

  /** Takes over what dead servers of this state left, and sweeps what other dead servers left. */
  async #clear(): Promise<void> {
    await this.#inherit();
    await sweepDeadServers(this.#engine);
  }

  async #inherit(): Promise<void> {
    const { stateId } = this.#options;
    if (stateId === undefined) return;
    const things = await thingsLabelled(this.#engine, `${labels.cluster}=${this.#name}`, `${labels.state}=${stateId}`);
    for (const server of new Set(things.map((each) => each[labels.server] ?? ''))) {
      if (server !== ownIdentity() && (await this.#inheritFrom(server))) this.#inherited.add(server);
    }
  }

  async #inheritFrom(server: string): Promise<boolean> {
    const owner = (await Ownership.read(this.#engine)).ownerOf(server);
    if (owner === ownIdentity()) return true;
    return !(await isOwnerAlive(this.#engine, owner)) && inherit(this.#engine, owner, this.labels);
  }

  /** The network of the containers, or the isolated one that reaches only the server. Created on first use. */
  network(choice: NetworkChoice): Promise<ClusterNetwork> {
    const known = this.#networks.get(choice);
    if (known !== undefined) return known;
    const opened = this.#openNetwork(choice);
    this.#networks.set(choice, opened);
    opened.catch(() => this.#networks.delete(choice));
    return opened;
  }

  async #openNetwork(choice: NetworkChoice): Promise<ClusterNetwork> {
    // `_` can't occur in a cluster's name, so no other cluster has this name.
    const name = choice === 'cluster' ? `clipper-${this.#name}` : `clipper-${this.#name}_isolated`;
    const made = await this.#makeNetwork(name, choice === 'none');
    const serverAddress = await this.#reachServer(made, choice).catch(async (error: unknown) => {
      // The first error says more than a failed clean-up would.
      const self = await ownContainer(this.#engine).catch(() => undefined);
      if (self !== undefined) await leaveNetwork(this.#engine, made.id, self).catch(() => {});
      await removeNetwork(this.#engine, made.id).catch(() => {});
      throw error;
    });
    return { name, serverAddress };
  }

  async #makeNetwork(name: string, isInternal: boolean): Promise<NetworkFacts> {
    const end = performance.now() + handoverMs;
    for (;;) {
      const kept = await this.#keptNetwork(name);
      if (kept !== undefined) return kept;
      const made = await createNetwork(this.#engine, { name, labels: this.labels, isInternal });
      if (made !== undefined) return made;
      if (performance.now() > end) throw clusterExists(this.#name, name);
      await setTimeout(200);
      await this.#clear();
    }
  }

  /** The network that an earlier server created. */
  async #keptNetwork(name: string): Promise<NetworkFacts | undefined> {
    if (this.#inherited.size === 0) return undefined;
    const networks = await networksLabelled(this.#engine, `${labels.cluster}=${this.#name}`);
    return networks.find((each) => each.name === name && this.#inherited.has(each.labels[labels.server] ?? ''));
  }

  /** The server's address for containers of a network. */
  async #reachServer(network: NetworkFacts, choice: NetworkChoice): Promise<string> {
    const self = await ownContainer(this.#engine);
    if (self !== undefined) {
      const address = await joinNetwork(this.#engine, network, self);
      await this.#options.listenOn(address);
      return address;
    }
    try {
      await this.#options.listenOn(network.gateway);
      return network.gateway;
    } catch (error) {
      if (!isNotOwnAddress(error)) throw error;
      return hostGateway(this.#engine, choice);
    }
  }

  /** Removes everything that the cluster has on the engine. `withInherited`: also what earlier servers left. */
  async remove(withInherited: boolean): Promise<void> {
    const self = await ownContainer(this.#engine);
    for (const server of [...(withInherited ? this.#inherited : []), ownIdentity()]) {
      if (self !== undefined) {
        for (const { id } of await networksLabelled(this.#engine, `${labels.server}=${server}`))
          await leaveNetwork(this.#engine, id, self);
      }
      await sweepServer(this.#engine, server, { cluster: this.#name, keepsImages: this.#options.stateId !== undefined });
    }
  }
}

const isNotOwnAddress = (error: unknown): boolean =>
  ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRNOTAVAIL';

const clusterExists = (cluster: string, network: string): ClipperError =>
  new ClipperError(
    'E_CLUSTER_EXISTS',
    `A cluster with name '${cluster}' is on this Docker engine already: it has the network ${network}`,
    {
      fix: 'connectClipper() to it, or give startClipper another name; if its server is gone for good, remove its containers and the network',
    },
  );
