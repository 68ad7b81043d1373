import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { containerLogs, removeContainer, runContainer, stateOf, stopContainer, waitForContainer } from '../docker/containers.ts';
import { DockerEngine } from '../docker/engine.ts';
import { findImage, removeImage } from '../docker/images.ts';
import { imageRepository, labels } from '../docker/labels.ts';
import { ClipperError, isClipperError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Backend, ReplicaExit, ReplicaSource, ReplicaSpec, RunningReplica } from './backend.ts';
import { DockerCluster } from './docker-cluster.ts';
import { containerSettings, memoryLimit } from './docker-settings.ts';

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
  readonly #containers = new Map<string, string>();
  readonly #endings = new Set<Promise<unknown>>();
  #isClosed = false;
  #isEngineGone = false;

  private constructor(engine: DockerEngine, cluster: DockerCluster, options: DockerBackendOptions) {
    this.engine = engine;
    this.#cluster = cluster;
    this.#options = options;
  }

  /** Throws E_DOCKER_UNAVAILABLE, E_CLUSTER_EXISTS. */
  static async open(options: DockerBackendOptions): Promise<DockerBackend> {
    const engine = await DockerEngine.connect();
    return new DockerBackend(engine, await DockerCluster.open(engine, options.cluster, options.listenOn), options);
  }

  /** Throws E_INVALID_OPTION for a bundle, E_IMAGE_NOT_FOUND. */
  async prepare(spec: ReplicaSpec): Promise<ReplicaSpec> {
    const { source } = spec;
    if (source.kind === 'bundle') {
      throw new ClipperError('E_INVALID_OPTION', 'The cluster runs containers: it takes images, and was given a bundle');
    }
    const image = await findImage(this.engine, source.image);
    if (image === undefined) {
      const message = `The Docker engine at ${this.engine.facts.address} has no image ${source.image}`;
      throw new ClipperError('E_IMAGE_NOT_FOUND', `${message}.\n  Fix: build it, or pull it, and deploy again`);
    }
    // By its id: the name may come to mean another one.
    return { ...spec, source: { kind: 'image', image: image.id, isOurs: labels.bundle in image.labels } };
  }

  async start(spec: ReplicaSpec, instance: string): Promise<RunningReplica> {
    const network = await this.#cluster.network(spec.network);
    const { memoryBytes } = this.engine.facts;
    const { cluster, rpcPort } = this.#options;
    const all = { ...this.#cluster.labels, ...replicaLabels(spec, instance) };
    const placement = {
      cluster,
      instance,
      labels: all,
      rpcPort,
      memoryBytes,
      network: network.name,
      serverAddress: network.serverAddress,
    };
    const settings = containerSettings(spec, placement);
    const id = await runContainer(this.engine, settings).catch((error: unknown) => {
      if (isGone(error)) void this.#forget(settings.name ?? '');
      throw error;
    });
    this.#containers.set(instance, id);
    const exited = this.#ended(spec, instance, id);
    this.#endings.add(exited);
    void exited.then(() => this.#endings.delete(exited));
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

  /** The image, where it was made for the cluster. What can't be removed now goes with the cluster. */
  async discard(source: ReplicaSource): Promise<void> {
    if (source.kind === 'bundle' || !source.image.startsWith(`${imageRepository(this.#options.cluster)}/`)) return;
    await removeImage(this.engine, source.image).catch((error: unknown) => this.#lost(error));
  }

  async logs(instance: string, { tailLines }: { readonly tailLines: number }): Promise<readonly string[]> {
    const id = this.#containers.get(instance);
    if (id !== undefined) return containerLogs(this.engine, id, tailLines);
    const text = await readFile(this.#logFile(instance), 'utf8').catch(() => '');
    return text === '' ? [] : text.split('\n').slice(-tailLines);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
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

  /** Removes what the engine may have started before it went away, when it is back. */
  async #forget(container: string): Promise<void> {
    while (!this.#isClosed) {
      try {
        return await removeContainer(this.engine, container);
      } catch {
        await setTimeout(engineRetryMs);
      }
    }
  }

  /** Says once that the engine is away, however many replicas it has. */
  #lost(error: unknown): void {
    if (!isGone(error)) this.#options.log.warn({ err: error }, 'the Docker engine refused');
    else if (!this.#isEngineGone) this.#options.log.warn('the Docker engine is not there');
    this.#isEngineGone = isGone(error);
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

const isGone = (error: unknown): boolean => isClipperError(error) && error.code === 'E_DOCKER_UNAVAILABLE';

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
