import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type Dockerode from 'dockerode';
import { ClipperError, messageOf } from '../errors.ts';
import { reasonOf, statusOf } from './docker-errors.ts';
import type { DockerEngine } from './engine.ts';

/** What to make a container of, as the engine's API has it. */
export type ContainerSettings = Dockerode.ContainerCreateOptions;

/** How a container is, or ended. */
export interface ContainerState {
  readonly isRunning: boolean;
  readonly exitCode: number;
  readonly wasOutOfMemory: boolean;
}

export interface ContainerFacts {
  readonly id: string;
  /** Neither ended nor paused. */
  readonly isRunning: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** Makes and starts a container; where it can't be started, none is left. Throws E_REPLICA_EXITED, E_IMAGE_NOT_FOUND. */
export async function runContainer(engine: DockerEngine, settings: ContainerSettings): Promise<string> {
  const what = `Docker refused the container ${settings.name ?? ''}`;
  const container = await engine.ask(what, 'E_REPLICA_EXITED', async (api) => {
    try {
      return await api.createContainer(inBody(settings));
    } catch (error) {
      // A container to join may be gone as well.
      if (statusOf(error) !== 404 || !/image/i.test(reasonOf(error))) throw error;
      const message = `${what}: the Docker engine has no image ${settings.Image ?? ''}, which was removed`;
      throw new ClipperError('E_IMAGE_NOT_FOUND', message, { fix: 'deploy it again', cause: error });
    }
  });
  try {
    await engine.ask(what, 'E_REPLICA_EXITED', () => container.start());
    return container.id;
  } catch (error) {
    // Why it could not be started says more than why it could not be removed.
    await removeContainer(engine, container.id).catch(() => {});
    throw error;
  }
}

/** Makes a container that is never started, to look into its files. */
export async function createContainer(engine: DockerEngine, settings: ContainerSettings): Promise<string> {
  const made = await engine.ask('A container could not be made', 'E_IMAGE_FAILED', (api) =>
    api.createContainer(inBody(settings)),
  );
  return made.id;
}

/** dockerode would put all settings into the request's address as well, where `env` fits badly and engines may log it. */
const inBody = ({ name, ...settings }: ContainerSettings): ContainerSettings =>
  ({ _query: name === undefined ? {} : { name }, _body: settings }) as ContainerSettings;

/** Whether a path is in a container's files. */
export async function hasPath(engine: DockerEngine, id: string, path: string): Promise<boolean> {
  const answer = await engine.find(`${path} can't be looked up`, (api) => api.getContainer(id).infoArchive({ path }));
  // What is not read would hold the connection, and the process with it.
  (answer as Readable | undefined)?.resume();
  return answer !== undefined;
}

/** Resolves when a container has ended or is gone. Throws E_DOCKER_UNAVAILABLE when the engine goes away before. */
export async function waitForContainer(engine: DockerEngine, id: string): Promise<void> {
  await engine.find(`The end of the container ${id} can't be awaited`, async (api) => {
    for await (const _ of await awaitedEnd(api, id));
  });
}

/** As a stream: the answer begins at once and may take days, and dockerode waits forever for one that is cut off. */
const awaitedEnd = (api: Dockerode, id: string): Promise<NodeJS.ReadableStream> =>
  new Promise((resolve, reject) => {
    const request = { path: `/containers/${id}/wait`, method: 'POST', isStream: true, statusCodes: { 200: true } };
    api.modem.dial(request, (error: unknown, answer: unknown) => {
      if (error) reject(error);
      else resolve(answer as NodeJS.ReadableStream);
    });
  });

export async function stateOf(engine: DockerEngine, id: string): Promise<ContainerState | undefined> {
  const found = await engine.find(`The container ${id} can't be looked up`, (api) => api.getContainer(id).inspect());
  if (found === undefined) return undefined;
  const { State: state } = found;
  return { isRunning: state.Running, exitCode: state.ExitCode, wasOutOfMemory: state.OOMKilled };
}

/** Asks a container's process to end, and ends it by force after `graceMs`. */
export async function stopContainer(engine: DockerEngine, id: string, graceMs: number): Promise<void> {
  await engine.find(`The container ${id} can't be stopped`, async (api) => {
    const container = api.getContainer(id);
    // A paused one takes no signal but the last.
    const paused = graceMs > 0 && (await container.inspect()).State.Paused;
    if (graceMs === 0 || paused) await container.kill().catch(unlessEnded);
    else await container.stop({ t: Math.ceil(graceMs / 1_000) }).catch(unlessEnded);
  });
}

const unlessEnded = (error: unknown): void => {
  if (![304, 404, 409].includes(statusOf(error) ?? 0)) throw error;
};

export async function removeContainer(engine: DockerEngine, id: string): Promise<void> {
  await engine.find(`The container ${id} can't be removed`, async (api) => {
    for (let attempts = 1; ; attempts++) {
      try {
        return void (await api.getContainer(id).remove({ force: true, v: true }));
      } catch (error) {
        // Its removal is under way.
        if (statusOf(error) === 409) return;
        if (!/device or resource busy/.test(messageOf(error))) throw error;
        // Its file system is still mounted elsewhere, as in a container that another engine was just starting. It is dead
        // in any case: what is left of it goes with the next sweep.
        if (attempts === 5) return;
        await setTimeout(200 * attempts);
      }
    }
  });
}

/** All containers with these labels, also those that ended. */
export async function containersLabelled(engine: DockerEngine, ...labels: readonly string[]): Promise<readonly ContainerFacts[]> {
  const found = await engine.ask('The containers can not be listed', 'E_DOCKER_REFUSED', (api) =>
    api.listContainers({ all: true, filters: JSON.stringify({ label: labels }) }),
  );
  return found.map(({ Id, Labels, State }) => ({ id: Id, labels: Labels, isRunning: State === 'running' }));
}
