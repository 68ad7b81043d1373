import { type ContainerFacts, type ContainerSettings, removeContainer, stopContainer } from '../../docker/containers.ts';
import { DockerEngine } from '../../docker/engine.ts';
import { findImage, type ImageFacts, removeImage, tagImage } from '../../docker/images.ts';
import { imageRepository, labels } from '../../docker/labels.ts';
import { ensureImage } from '../../docker/pull.ts';
import { ClipperError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { FollowLogsOptions, InstanceBackend, ReplicaSource, ReplicaSpec, RunningReplica } from '../backend.ts';
import { DockerCluster } from './cluster.ts';
import { DockerContainers } from './containers.ts';
import { DockerSandboxes } from './sandbox.ts';
import { checkResources, containerSettings, type JoinedNetwork } from './settings.ts';
import { clusterImages, removeImages } from './sweep.ts';

/** Don't collect images younger than this: an image is made before its deploy is requested. */
const unclaimedMs = 600_000;

export interface DockerBackendOptions {
  readonly cluster: string;
  /** The state's id: what an earlier server of the same state left is taken over. */
  readonly stateId?: string;
  /** The folder for the logs of ended replicas. */
  readonly dir: string;
  readonly rpcPort: number;
  /** The RPC server's address, if it is not on this machine. */
  readonly rpcHost?: string;
  /** Whether the server understands our extensions to Clipper's RPC. Default: yes. */
  readonly extensions?: boolean;
  /** The server's public key, if RPC is encrypted. */
  readonly serverKey?: string | undefined;
  /** Makes the RPC server also listen on an address of this machine. */
  readonly listenOn: (address: string) => Promise<void>;
  readonly log: Log;
}

/** Runs replicas as containers on a Docker engine, on the cluster's own network. */
export class DockerBackend implements InstanceBackend {
  readonly name = 'docker';
  readonly engine: DockerEngine;
  readonly engineId: string;
  readonly #options: DockerBackendOptions;
  readonly #cluster: DockerCluster;
  readonly #containers: DockerContainers;
  readonly #sandboxes: DockerSandboxes;
  /** Containers that use a sandbox's network, with the sandbox's id. */
  readonly #joined = new Map<string, string>();
  /** Whether closing also removes what earlier servers left. False until this server has begun to serve. */
  #isInCharge = false;

  private constructor(engine: DockerEngine, cluster: DockerCluster, options: DockerBackendOptions) {
    this.engine = engine;
    this.engineId = engine.facts.id;
    this.#options = options;
    this.#cluster = cluster;
    this.#containers = new DockerContainers(engine, options);
    const onLost = (sandbox: string): void => void this.#endWithout(sandbox);
    this.#sandboxes = new DockerSandboxes(engine, cluster, { containers: this.#containers, onLost });
  }

  /** Throws E_DOCKER_UNAVAILABLE, E_CLUSTER_EXISTS. */
  static async open(options: DockerBackendOptions): Promise<DockerBackend> {
    const engine = await DockerEngine.connect();
    const cluster = await DockerCluster.open(engine, options);
    const backend = new DockerBackend(engine, cluster, options);
    // So that the first replica starts sooner. If this fails, that replica starts the sandbox.
    void backend.#sandboxes.prepare().catch(() => {});
    return backend;
  }

  /** Throws E_INVALID_OPTION for a bundle, E_IMAGE_NOT_FOUND, E_REGISTRY_FAILED. */
  async prepare(spec: ReplicaSpec, signal: AbortSignal): Promise<ReplicaSpec> {
    const { source } = spec;
    if (source.kind === 'bundle') {
      throw new ClipperError('E_INVALID_OPTION', 'The cluster runs containers: it takes images, and was given a bundle');
    }
    checkResources(spec, this.engine.facts);
    const onLine = (line: string): void => this.#options.log.info({ image: source.image }, line);
    const image = await ensureImage(this.engine, source.image, { onLine, signal });
    const isOurs = labels.bundle in image.labels;
    // A digest is no name of the cluster's: tag the image, so that it is removed with the cluster.
    if (isOurs && source.image.includes('@')) await tagImage(this.engine, image.id, this.#nameOf(spec, image));
    // By id, because the name may be moved to another image.
    return { ...spec, source: { kind: 'image', image: image.id, isOurs } };
  }

  async start(spec: ReplicaSpec, instance: string): Promise<RunningReplica> {
    const network = await this.#networkFor(spec);
    return this.#joinedTo(network, await this.#containers.run(this.#settings(spec, instance, network), instance));
  }

  async adopt(spec: ReplicaSpec): Promise<readonly RunningReplica[]> {
    this.#isInCharge = true;
    const left = await this.#left(`${labels.model}=${spec.modelName}`, `${labels.version}=${spec.modelVersion}`);
    if (left.length === 0) return [];
    const network = await this.#networkFor(spec);
    const { Labels, HostConfig } = this.#settings(spec, '', network);
    const isSame = ({ isRunning, labels: its }: ContainerFacts): boolean =>
      isRunning && its[labels.settings] === Labels?.[labels.settings];
    await this.#remove(left.filter((each) => !isSame(each)));
    return left.filter(isSame).map(({ id, labels: its }) => {
      const memoryBytes = HostConfig?.Memory ?? 0;
      return this.#joinedTo(network, this.#containers.adopt(id, its[labels.instance] ?? '', memoryBytes));
    });
  }

  async endLeft(): Promise<void> {
    this.#isInCharge = true;
    try {
      await this.#remove(await this.#left());
    } catch (error) {
      // They are removed with the cluster.
      this.#containers.trouble(error);
    }
  }

  /** Removes the image if it was made for the cluster. What can't be removed now is removed with the cluster. */
  async discard(source: ReplicaSource): Promise<void> {
    if (source.kind === 'bundle') return;
    try {
      const { tags = [] } = (await findImage(this.engine, source.image)) ?? {};
      const made = tags.filter((tag) => tag.startsWith(`${imageRepository(this.#options.cluster)}/`));
      for (const tag of made) await removeImage(this.engine, tag);
    } catch (error) {
      this.#containers.trouble(error);
    }
  }

  forget(instance: string): Promise<void> {
    return this.#containers.forget(instance);
  }

  async collect(needed: readonly Pick<ReplicaSpec, 'modelName' | 'modelVersion'>[]): Promise<void> {
    const { cluster } = this.#options;
    const prefixes = needed.map(({ modelName, modelVersion }) => `${imageRepository(cluster)}/${modelName}:${modelVersion}-`);
    try {
      for (const tag of await clusterImages(this.engine, cluster)) {
        const { namedAt = Date.now() } = (await findImage(this.engine, tag)) ?? {};
        const isOld = Date.now() - namedAt > unclaimedMs;
        if (isOld && !prefixes.some((prefix) => tag.startsWith(prefix))) await removeImages(this.engine, [tag]);
      }
    } catch (error) {
      this.#containers.trouble(error);
    }
  }

  logs(instance: string, { tailLines }: { readonly tailLines: number }): Promise<readonly string[]> {
    return this.#containers.logs(instance, tailLines);
  }

  followLogs(instance: string, options: FollowLogsOptions): AsyncIterable<string> {
    return this.#containers.followLogs(instance, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sandboxes.close();
    await this.#containers.close(() => this.#cluster.remove(this.#isInCharge));
  }

  #settings(spec: ReplicaSpec, instance: string, network: JoinedNetwork): ContainerSettings {
    const { memoryBytes } = this.engine.facts;
    const { cluster, rpcPort, rpcHost, extensions, serverKey } = this.#options;
    const all = { ...this.#cluster.labels, ...replicaLabels(spec, instance) };
    return containerSettings(spec, {
      ...{ cluster, instance, labels: all, rpcPort, rpcHost, extensions, serverKey, memoryBytes, network },
    });
  }

  #joinedTo<R extends RunningReplica & { readonly id: string }>(network: JoinedNetwork, running: R): R {
    if (!('ofContainer' in network)) return running;
    this.#joined.set(running.id, network.ofContainer);
    void running.exited.then(() => this.#joined.delete(running.id));
    return running;
  }

  /** Replicas with these labels that an earlier server left and nobody adopted. */
  async #left(...wanted: readonly string[]): Promise<readonly ContainerFacts[]> {
    // `labels.instance` excludes sandboxes, which may inherit model labels from their image.
    const left = await this.#cluster.left(labels.instance, ...wanted);
    return left.filter(({ labels: its }) => !this.#containers.has(its[labels.instance] ?? ''));
  }

  async #remove(containers: readonly ContainerFacts[]): Promise<void> {
    await Promise.all(containers.map(({ id }) => removeContainer(this.engine, id)));
  }

  /** Closures share the cluster's network. The user's own images may listen on ports, so each gets a network of its own. */
  async #networkFor({ source, network }: ReplicaSpec): Promise<JoinedNetwork> {
    if (source.kind !== 'image' || source.isOurs !== true) return this.#cluster.network(network);
    return { ofContainer: await this.#sandboxes.join(network, source.image) };
  }

  /** Replicas without a network would otherwise be found one at a time, by time-out. */
  async #endWithout(sandbox: string): Promise<void> {
    const stranded = [...this.#joined].filter(([, joined]) => joined === sandbox);
    await Promise.allSettled(stranded.map(([id]) => stopContainer(this.engine, id, 0)));
  }

  #nameOf({ modelName, modelVersion }: ReplicaSpec, { id }: ImageFacts): { repo: string; tag: string } {
    const tag = `${modelVersion}-${id.slice('sha256:'.length).slice(0, 12)}`;
    return { repo: `${imageRepository(this.#options.cluster)}/${modelName}`, tag };
  }
}

const replicaLabels = ({ modelName, modelVersion }: ReplicaSpec, instance: string): Record<string, string> => ({
  [labels.model]: modelName,
  [labels.version]: modelVersion,
  [labels.instance]: instance,
});
