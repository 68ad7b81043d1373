import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type Dockerode from 'dockerode';
import { ClipperError, messageOf } from '../errors.ts';
import { reasonOf, statusOf } from './docker-errors.ts';
import type { DockerEngine } from './engine.ts';

/** A container's settings, as the engine's API takes them. */
export type ContainerSettings = Dockerode.ContainerCreateOptions;

/** A container's state, or how it ended. */
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

/** Creates and starts a container. Removes it if it can't be started. Throws E_REPLICA_EXITED, E_IMAGE_NOT_FOUND. */
export async function runContainer(engine: DockerEngine, settings: ContainerSettings): Promise<string> {
  const what = `Docker refused the container ${settings.name ?? ''}`;
  const container = await engine.ask(what, 'E_REPLICA_EXITED', async (api) => {
    try {
      return await api.createContainer(inBody(settings));
    } catch (error) {
      // A 404 may also be about a container whose network it should join.
      if (statusOf(error) !== 404 || !/image/i.test(reasonOf(error))) throw error;
      const message = `${what}: the Docker engine has no image ${settings.Image ?? ''}, which was removed`;
      throw new ClipperError('E_IMAGE_NOT_FOUND', message, { fix: 'deploy it again', cause: error });
    }
  });
  try {
    await engine.ask(what, 'E_REPLICA_EXITED', () => container.start());
    return container.id;
  } catch (error) {
    // The first error says more than a failed removal would.
    await removeContainer(engine, container.id).catch(() => {});
    throw error;
  }
}

/** Creates a container that is never started, to look at its files. */
export async function createContainer(engine: DockerEngine, settings: ContainerSettings): Promise<string> {
  const made = await engine.ask('A container could not be made', 'E_IMAGE_FAILED', (api) =>
    api.createContainer(inBody(settings)),
  );
  return made.id;
}

/** By default, dockerode also puts all settings into the URL, where `env` may be too long, and engines may log it. */
const inBody = ({ name, ...settings }: ContainerSettings): ContainerSettings =>
  ({ _query: name === undefined ? {} : { name }, _body: settings }) as ContainerSettings;

/** Whether a path exists in a container. */
export async function hasPath(engine: DockerEngine, id: string, path: string): Promise<boolean> {
  const answer = await engine.find(`${path} can't be looked up`, (api) => api.getContainer(id).infoArchive({ path }));
  // An unread response keeps the connection open, and the process alive.
  (answer as Readable | undefined)?.resume();
  return answer !== undefined;
}

/** Resolves when a container has ended or is gone. Throws E_DOCKER_UNAVAILABLE if the engine goes away first. */
export async function waitForContainer(engine: DockerEngine, id: string): Promise<void> {
  await engine.find(`The end of the container ${id} can't be awaited`, async (api) => {
    for await (const _ of await awaitedEnd(api, id));
  });
}

/** As a stream, because the response may take days, and dockerode never settles if the connection breaks. */
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

/** Asks a container's process to end, and kills it after `graceMs`. */
export async function stopContainer(engine: DockerEngine, id: string, graceMs: number): Promise<void> {
  await engine.find(`The container ${id} can't be stopped`, async (api) => {
    const container = api.getContainer(id);
    // A paused container reacts only to SIGKILL.
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
        // It is already being removed.
        if (statusOf(error) === 409) return;
        if (!/device or resource busy/.test(messageOf(error))) throw error;
        // Its file system is still mounted elsewhere, for example in a container that another engine is starting. The
        // container is dead either way, and the next sweep removes what is left.
        if (attempts === 5) return;
        await setTimeout(200 * attempts);
      }
    }
  });
}

/** All containers with these labels, including ended ones. */
export async function containersLabelled(engine: DockerEngine, ...labels: readonly string[]): Promise<readonly ContainerFacts[]> {
  const found = await engine.ask('The containers can not be listed', 'E_DOCKER_REFUSED', (api) =>
    api.listContainers({ all: true, filters: JSON.stringify({ label: labels }) }),
  );
  return found.map(({ Id, Labels, State }) => ({ id: Id, labels: Labels, isRunning: State === 'running' }));
}
