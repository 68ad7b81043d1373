import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { containerLogs, followContainerLogs, type LogStart } from '../../docker/container-logs.ts';
import {
  type ContainerSettings,
  type ContainerState,
  removeContainer,
  runContainer,
  stateOf,
  stopContainer,
  waitForContainer,
} from '../../docker/containers.ts';
import type { DockerEngine } from '../../docker/engine.ts';
import { isClipperError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { FollowLogsOptions, ReplicaExit, RunningReplica } from '../backend.ts';

const defaultGraceMs = 5_000;
const keptLogLines = 10_000;
const engineRetryMs = 500;
const signalBase = 128;

/** The containers that a server runs. Each is watched until it ends; then its log is saved and it is removed. */
export class DockerContainers {
  readonly #engine: DockerEngine;
  readonly #log: Log;
  /** The folder for the logs of ended containers. */
  readonly #dir: string;
  readonly #ids = new Map<string, string>();
  readonly #endings = new Set<Promise<unknown>>();
  #isClosed = false;
  #isEngineGone = false;

  constructor(engine: DockerEngine, { log, dir }: { log: Log; dir: string }) {
    this.#engine = engine;
    this.#log = log;
    this.#dir = dir;
  }

  /** Starts a replica's container. Throws E_REPLICA_EXITED, E_IMAGE_NOT_FOUND, E_DOCKER_UNAVAILABLE. */
  async run(settings: ContainerSettings, instance: string): Promise<RunningReplica & { readonly id: string }> {
    const id = await runContainer(this.#engine, settings).catch((error: unknown) => {
      // The engine may have created it without being able to say so or to undo it.
      void this.#forget(settings.name ?? '');
      throw error;
    });
    return this.adopt(id, instance, settings.HostConfig?.Memory ?? 0);
  }

  /** Whether a replica's container is being watched. */
  has(instance: string): boolean {
    return this.#ids.has(instance);
  }

  /** Starts watching a running container. */
  adopt(id: string, instance: string, memoryBytes: number): RunningReplica & { readonly id: string } {
    this.#ids.set(instance, id);
    const exited = this.#ended(instance, id, memoryBytes);
    this.#endings.add(exited);
    void exited.then(() => this.#endings.delete(exited));
    const stop: RunningReplica['stop'] = async ({ graceMs = defaultGraceMs } = {}) => {
      try {
        await stopContainer(this.#engine, id, graceMs);
      } catch (error) {
        // The engine is away, perhaps for longer than this server runs, so don't wait for the container's end.
        return this.trouble(error);
      }
      await exited;
    };
    return { id, instance, exited, stop };
  }

  /** Resolves when a container has ended; waits while the engine is away. Undefined after `close`. */
  async ended(id: string): Promise<ContainerState | 'removed' | undefined> {
    while (!this.#isClosed) {
      try {
        await waitForContainer(this.#engine, id);
        const state = await stateOf(this.#engine, id);
        this.#isEngineGone = false;
        // A container may survive a restart of its engine.
        if (state?.isRunning !== true) return state ?? 'removed';
      } catch (error) {
        if (this.#isClosed) return undefined;
        this.trouble(error);
        await setTimeout(engineRetryMs);
      }
    }
    return undefined;
  }

  async logs(instance: string, tailLines: number): Promise<readonly string[]> {
    const id = this.#ids.get(instance);
    if (id !== undefined) return containerLogs(this.#engine, id, tailLines);
    const text = await readFile(this.#logFile(instance), 'utf8').catch(() => '');
    return text === '' ? [] : text.split('\n').slice(-tailLines);
  }

  /** The last lines, then each new line until the container ends. Waits while the engine is away. */
  async *followLogs(instance: string, { tailLines, signal }: FollowLogsOptions): AsyncGenerator<string> {
    const id = this.#ids.get(instance);
    let from: LogStart = { tail: tailLines };
    while (id !== undefined && !signal.aborted && !this.#isClosed) {
      try {
        const lines = await followContainerLogs(this.#engine, id, { from, signal });
        if (lines === undefined) break;
        for await (const line of lines) {
          from = { since: Date.now() / 1_000 };
          yield line;
        }
        // When an engine shuts down, its log streams end before its containers do.
        if ((await stateOf(this.#engine, id))?.isRunning !== true) return;
      } catch (error) {
        this.trouble(error);
      }
      await setTimeout(engineRetryMs);
    }
    if ('tail' in from && !signal.aborted) yield* await this.logs(instance, tailLines);
  }

  /** Logs once that the engine is away, however many containers it runs. */
  trouble(error: unknown): void {
    if (!isGone(error)) this.#log.warn({ err: error }, 'the Docker engine refused');
    else if (!this.#isEngineGone) this.#log.warn('the Docker engine is not there');
    this.#isEngineGone = isGone(error);
  }

  /** Runs `takeAway`, which removes all containers, and waits until none is watched. */
  async close(takeAway: () => Promise<void>): Promise<void> {
    this.#isClosed = true;
    await takeAway();
    await Promise.all(this.#endings);
  }

  async #ended(instance: string, id: string, memoryBytes: number): Promise<ReplicaExit> {
    const state = await this.ended(id);
    if (state === undefined) return { how: 'its server' };
    // What can't be saved or removed now is removed with the cluster.
    if (state !== 'removed') await this.#keepLog(instance, id).catch((error: unknown) => this.trouble(error));
    this.#ids.delete(instance);
    await removeContainer(this.#engine, id).catch((error: unknown) => this.trouble(error));
    return { how: state === 'removed' ? 'its container removed' : howOf(state, memoryBytes) };
  }

  /** Removes the log of an ended container. */
  forget(instance: string): Promise<void> {
    return rm(join(this.#dir, instance), { recursive: true, force: true });
  }

  /** Removes a container that the engine may have created. Retries while the engine is away. */
  async #forget(container: string): Promise<void> {
    while (!this.#isClosed) {
      try {
        return await removeContainer(this.#engine, container);
      } catch {
        await setTimeout(engineRetryMs);
      }
    }
  }

  async #keepLog(instance: string, id: string): Promise<void> {
    const lines = await containerLogs(this.#engine, id, keptLogLines);
    await mkdir(join(this.#dir, instance), { recursive: true });
    await writeFile(this.#logFile(instance), lines.join('\n'));
  }

  #logFile(instance: string): string {
    return join(this.#dir, instance, 'log');
  }
}

const isGone = (error: unknown): boolean => isClipperError(error) && error.code === 'E_DOCKER_UNAVAILABLE';

/** How a container ended: an exit code, a signal, or out of memory. */
function howOf({ exitCode, wasOutOfMemory }: ContainerState, memoryBytes: number): string {
  const limit = `${Math.round(memoryBytes / 2 ** 20)} MiB of resources.memoryMiB`;
  if (wasOutOfMemory) return `exit code ${exitCode}, out of memory: it took more than the ${limit}`;
  const signal = Object.entries(constants.signals).find(([, number]) => number === exitCode - signalBase)?.[0];
  return signal === undefined ? `exit code ${exitCode}` : `signal ${signal}`;
}
