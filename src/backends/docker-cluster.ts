import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { containersLabelled, removeContainer, stateOf } from '../docker/containers.ts';
import type { DockerEngine } from '../docker/engine.ts';
import { findImage, imagesNamed, pruneImages, removeImage } from '../docker/images.ts';
import { imageRepository, labels, runtimeRepository } from '../docker/labels.ts';
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

const keptRuntimeImages = 3;
const keptRuntimeMs = 24 * 3_600_000;
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
      for (const { id } of await networksLabelled(this.#engine, ofServer(serverIdentity())))
        await leaveNetwork(this.#engine, id, self);
    }
    await sweep(this.#engine, this.#name, ofServer(serverIdentity()));
  }
}

const ofServer = (identity: string): string => `${labels.server}=${identity}`;

/** Takes away what servers left that were killed. */
export async function sweepDeadServers(engine: DockerEngine): Promise<void> {
  const [networks, containers] = await Promise.all([
    networksLabelled(engine, labels.server),
    containersLabelled(engine, labels.server),
  ]);
  const servers = new Map(
    [...networks, ...containers].map((each) => [each.labels[labels.server] ?? '', each.labels[labels.cluster] ?? '']),
  );
  for (const [server, cluster] of servers) {
    if (!(await isAlive(engine, server))) await sweep(engine, cluster, ofServer(server));
  }
}

async function sweep(engine: DockerEngine, cluster: string, label: string): Promise<void> {
  await removeContainers(engine, label);
  const networks = await networksLabelled(engine, label);
  await Promise.all(networks.map(({ id }) => removeNetwork(engine, id)));
  for (const tag of await imagesNamed(engine, `${imageRepository(cluster)}/*`)) {
    // One from a registry is held by its digest too.
    const { digests = [] } = (await findImage(engine, tag)) ?? {};
    for (const reference of [tag, ...digests]) await removeImage(engine, reference);
  }
  // What lost its name to a later image of the same.
  await pruneImages(engine, labels.bundle);
}

/** Some may be on their way out already, and until they are gone their networks and images are in use. */
async function removeContainers(engine: DockerEngine, label: string): Promise<void> {
  for (const end = performance.now() + handoverMs; performance.now() < end; await setTimeout(50)) {
    const containers = await containersLabelled(engine, label);
    if (containers.length === 0) return;
    await Promise.all(containers.map(({ id }) => removeContainer(engine, id)));
  }
}

/** Images of earlier versions of Node or of ours. They are kept for a while, as other projects may use them. */
async function sweepRuntimeImages(engine: DockerEngine): Promise<void> {
  const images = await Promise.all((await imagesNamed(engine, runtimeRepository)).map((tag) => findImage(engine, tag)));
  const byAge = images.filter((image) => image !== undefined).sort((a, b) => (b.namedAt ?? 0) - (a.namedAt ?? 0));
  const old = byAge.slice(keptRuntimeImages).filter(({ namedAt = Date.now() }) => Date.now() - namedAt > keptRuntimeMs);
  for (const { tags } of old) for (const tag of tags) await removeImage(engine, tag);
}

/** Names this process, also when its number is used again. */
const serverIdentity = (): string => `${hostname()}/${process.pid}/${startTimeOf(process.pid)}`;

/** Whether the server of a label lives, as far as it can be seen from here. */
async function isAlive(engine: DockerEngine, identity: string): Promise<boolean> {
  const [host = '', pid = '', started = ''] = identity.split('/');
  if (host === hostname()) return isRunning(Number(pid)) && startTimeOf(Number(pid)) === started;
  // A server in a container has that one's id as its host's name.
  if (!/^[0-9a-f]{12}$/.test(host)) return true;
  return (await stateOf(engine, host))?.isRunning === true;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** In the kernel's ticks since the machine started; on other systems nothing. */
function startTimeOf(pid: number): string {
  try {
    // The name before may have spaces and brackets of its own.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19] ?? '';
  } catch {
    return '';
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
