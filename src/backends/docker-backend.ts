import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { containerLogs, removeContainer, runContainer, stateOf, stopContainer, waitForContainer } from '../docker/containers.ts';
import { DockerEngine } from '../docker/engine.ts';
import { type ImageFacts, tagImage } from '../docker/images.ts';
import { imageRepository, labels } from '../docker/labels.ts';
import { ensureImage } from '../docker/pull.ts';
import { ClipperError, isClipperError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Backend, ReplicaExit, ReplicaSpec, RunningReplica } from './backend.ts';
import { DockerCluster } from './docker-cluster.ts';
import { DockerSandboxes } from './docker-sandbox.ts';
import { containerSettings, type JoinedNetwork, memoryLimit } from './docker-settings.ts';

const defaultGraceMs = 5_000;
const keptLogLines = 10_000;
const engineRetryMs = 500;

export interface DockerBackendOptions {
  readonly cluster: string;
  /** Where the logs of replicas that ended are kept. */
  readonly dir: string;
  readonly rpcPort: number;
  /** Makes the RPC server listen on an address of this machine too. */
  readonly listenOn: (address: string) => Promise<void>;
  readonly log: Log;
}

/** Runs replicas as containers on a Docker engine, on a network of the cluster's own. */
export class DockerBackend implements Backend {
  readonly name = 'docker';
  readonly engine: DockerEngine;
  readonly #options: DockerBackendOptions;
  readonly #cluster: DockerCluster;
  readonly #sandboxes: DockerSandboxes;
  /** The containers that joined the network of a sandbox. */
  readonly #joined = new Map<string, string>();
  readonly #containers = new Map<string, string>();
  readonly #endings = new Set<Promise<unknown>>();
  #isClosed = false;
  #isEngineGone = false;

  private constructor(engine: DockerEngine, cluster: DockerCluster, options: DockerBackendOptions) {
    this.engine = engine;
    this.#cluster = cluster;
    this.#options = options;
    const onLost = (sandbox: string): void => void this.#endWithout(sandbox);
    this.#sandboxes = new DockerSandboxes(engine, cluster, { name: options.cluster, onLost });
  }

  /** Throws E_DOCKER_UNAVAILABLE, E_CLUSTER_EXISTS. */
  static async open(options: DockerBackendOptions): Promise<DockerBackend> {
    const engine = await DockerEngine.connect();
    const cluster = await DockerCluster.open(engine, options.cluster, options.listenOn);
    const backend = new DockerBackend(engine, cluster, options);
    // The first replica starts the sooner for it, and otherwise starts it itself.
    void backend.#sandboxes.prepare().catch(() => {});
    return backend;
  }

  /** Throws E_INVALID_OPTION for a bundle, E_IMAGE_NOT_FOUND. */
  async prepare(spec: ReplicaSpec, signal: AbortSignal): Promise<ReplicaSpec> {
    const { source } = spec;
    if (source.kind === 'bundle') {
      throw new ClipperError('E_INVALID_OPTION', 'The cluster runs containers: it takes images, and was given a bundle');
    }
    const onLine = (line: string): void => this.#options.log.info({ image: source.image }, line);
    const image = await ensureImage(this.engine, source.image, { onLine, signal });
    const isOurs = labels.bundle in image.labels;
    // One from a registry has no name of the cluster's by which it would be taken away with it.
    if (isOurs && source.image.includes('@')) await tagImage(this.engine, image.id, this.#nameOf(spec, image));
    // By its id: the name may come to mean another one.
    return { ...spec, source: { kind: 'image', image: image.id, isOurs } };
  }

  #nameOf({ modelName, modelVersion }: ReplicaSpec, { id }: ImageFacts): { repo: string; tag: string } {
    const tag = `${modelVersion}-${id.slice('sha256:'.length).slice(0, 12)}`;
    return { repo: `${imageRepository(this.#options.cluster)}/${modelName}`, tag };
  }

  async start(spec: ReplicaSpec, instance: string): Promise<RunningReplica> {
    const network = await this.#networkFor(spec);
    const { memoryBytes } = this.engine.facts;
    const { cluster, rpcPort } = this.#options;
    const all = { ...this.#cluster.labels, ...replicaLabels(spec, instance) };
    const placement = { cluster, instance, labels: all, rpcPort, memoryBytes, network };
    const id = await runContainer(this.engine, containerSettings(spec, placement));
    this.#containers.set(instance, id);
    if ('ofContainer' in network) this.#joined.set(id, network.ofContainer);
    const exited = this.#ended(spec, instance, id);
    this.#endings.add(exited);
    void exited.then(() => {
      this.#endings.delete(exited);
      this.#joined.delete(id);
    });
    const stop: RunningReplica['stop'] = async ({ graceMs = defaultGraceMs } = {}) => {
      try {
        await stopContainer(this.engine, id, graceMs);
      } catch (error) {
        // Its end is seen when the engine is back, which may be long after this server ended.
        return this.#lost(error);
      }
      await exited;
    };
    return { instance, exited, stop };
  }

  /** A closure shares its cluster's network with others; what users made may listen on ports, and gets one of its own. */
  async #networkFor({ source, network }: ReplicaSpec): Promise<JoinedNetwork> {
    if (source.kind !== 'image' || source.isOurs !== true) return this.#cluster.network(network);
    return { ofContainer: await this.#sandboxes.join(network, source.image) };
  }

  /** Without their network, replicas would be found hung one by one. */
  async #endWithout(sandbox: string): Promise<void> {
    const stranded = [...this.#joined].filter(([, joined]) => joined === sandbox);
    await Promise.allSettled(stranded.map(([id]) => stopContainer(this.engine, id, 0)));
  }

  async logs(instance: string, { tailLines }: { readonly tailLines: number }): Promise<readonly string[]> {
    const id = this.#containers.get(instance);
    if (id !== undefined) return containerLogs(this.engine, id, tailLines);
    const text = await readFile(this.#logFile(instance), 'utf8').catch(() => '');
    return text === '' ? [] : text.split('\n').slice(-tailLines);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#sandboxes.close();
    await this.#cluster.remove();
    await Promise.all(this.#endings);
  }

  /** Waits for a container's end, keeps its log and takes it away. An engine that goes away is waited for. */
  async #ended(spec: ReplicaSpec, instance: string, id: string): Promise<ReplicaExit> {
    for (;;) {
      try {
        await waitForContainer(this.engine, id);
        const state = await stateOf(this.engine, id);
        this.#isEngineGone = false;
        // One that outlived a restart of its engine.
        if (state?.isRunning === true) continue;
        await this.#keepLog(instance, id);
        this.#containers.delete(instance);
        await removeContainer(this.engine, id);
        if (state === undefined) return { how: 'its container removed' };
        const limitMiB = Math.round(memoryLimit(spec, this.engine.facts.memoryBytes) / 2 ** 20);
        return { how: howOf(state, limitMiB) };
      } catch (error) {
        if (this.#isClosed) return { how: 'its server' };
        this.#lost(error);
        await setTimeout(engineRetryMs);
      }
    }
  }

  /** Says once that the engine is away, however many replicas it has. */
  #lost(error: unknown): void {
    const isGone = isClipperError(error) && error.code === 'E_DOCKER_UNAVAILABLE';
    if (!isGone) this.#options.log.warn({ err: error }, 'the Docker engine refused');
    else if (!this.#isEngineGone) this.#options.log.warn('the Docker engine is not there');
    this.#isEngineGone = isGone;
  }

  async #keepLog(instance: string, id: string): Promise<void> {
    const lines = await containerLogs(this.engine, id, keptLogLines);
    await mkdir(join(this.#options.dir, instance), { recursive: true });
    await writeFile(this.#logFile(instance), lines.join('\n'));
  }

  #logFile(instance: string): string {
    return join(this.#options.dir, instance, 'log');
  }
}

const replicaLabels = ({ modelName, modelVersion }: ReplicaSpec, instance: string): Record<string, string> => ({
  [labels.model]: modelName,
  [labels.version]: modelVersion,
  [labels.instance]: instance,
});

const signalBase = 128;

/** How a container ended: by a code, a signal, or for want of memory. */
function howOf({ exitCode, wasOutOfMemory }: { exitCode: number; wasOutOfMemory: boolean }, limitMiB: number): string {
  if (wasOutOfMemory) return `exit code ${exitCode}, out of memory: it took more than the ${limitMiB} MiB of resources.memoryMiB`;
  const signal = Object.entries(constants.signals).find(([, number]) => number === exitCode - signalBase)?.[0];
  return signal === undefined ? `exit code ${exitCode}` : `signal ${signal}`;
}
