import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import type { NetworkChoice } from '../control/state-store.ts';
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
import { ownIdentity } from '../docker/owner.ts';
import { ClipperError } from '../errors.ts';
import { sweepDeadServers, sweepRuntimeImages, sweepServer } from './docker-sweep.ts';

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
    this.labels = { [labels.cluster]: name, [labels.server]: ownIdentity() };
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
    const serverAddress = await this.#reachServer(made, choice).catch(async (error: unknown) => {
      // Why it is of no use says more than why it could not be removed.
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
      const made = await createNetwork(this.#engine, { name, labels: this.labels, isInternal });
      if (made !== undefined) return made;
      if (performance.now() > end) throw clusterExists(this.#name, name);
      await setTimeout(200);
      await sweepDeadServers(this.#engine);
    }
  }

  /** Where containers of a network find this server. */
  async #reachServer(network: NetworkFacts, choice: NetworkChoice): Promise<string> {
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
      if (!isNotOwnAddress(error)) throw error;
      return hostGateway(this.#engine, choice);
    }
  }

  /** Takes everything away that the cluster has on the engine. */
  async remove(): Promise<void> {
    const self = await ownContainer(this.#engine);
    if (self !== undefined) {
      for (const { id } of await networksLabelled(this.#engine, `${labels.server}=${ownIdentity()}`))
        await leaveNetwork(this.#engine, id, self);
    }
    await sweepServer(this.#engine, ownIdentity(), this.#name);
  }
}

/** The container that this process runs in, where it is one of the engine's. */
async function ownContainer(engine: DockerEngine): Promise<string | undefined> {
  if (!existsSync('/.dockerenv')) return undefined;
  return (await stateOf(engine, hostname())) === undefined ? undefined : hostname();
}

/**
 * Where a server is for containers of an engine that runs in a machine of its own on this one, as Docker Desktop does: that
 * machine leads what is sent to its gateway to this one's loopback. Throws where none does.
 */
function hostGateway({ facts }: DockerEngine, choice: NetworkChoice): string {
  const host = /^(?:tcp|https?|ssh):\/\/(?:[^@/]*@)?(\[[^\]]*\]|[^:/]*)/.exec(facts.address)?.[1] ?? 'localhost';
  if (facts.isRootless || !/^(?:localhost|127\.|\[::1\])/.test(host)) {
    const why = facts.isRootless ? 'is rootless' : 'is on another machine';
    const message = `The Docker engine at ${facts.address} ${why}, and its containers can't reach a server that is not`;
    throw new ClipperError(
      'E_DOCKER_UNAVAILABLE',
      `${message}.\n  Fix: run the server in a container of that engine, or use another engine`,
    );
  }
  if (choice === 'cluster') return 'host-gateway';
  const message = "network: 'none' would keep replicas from the server too, as the Docker engine runs in a machine of its own";
  throw new ClipperError('E_INVALID_OPTION', `${message}.\n  Fix: leave network out, or run the server in a container`);
}

const isNotOwnAddress = (error: unknown): boolean =>
  ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRNOTAVAIL';

const clusterExists = (cluster: string, network: string): ClipperError =>
  new ClipperError(
    'E_CLUSTER_EXISTS',
    `A cluster with name '${cluster}' is on this Docker engine already: it has the network ${network}.\n  Fix: connectClipper() to it, or give startClipper another name; where its server is gone for good, remove its containers and the network`,
  );
