import { statusOf } from './docker-errors.ts';
import type { DockerEngine } from './engine.ts';

export interface VolumeFacts {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Creates a volume. If the name is taken, returns the existing volume unchanged. */
export async function createVolume(engine: DockerEngine, { name, labels }: VolumeFacts): Promise<VolumeFacts> {
  return engine.ask(`The volume ${name} could not be made`, 'E_DOCKER_REFUSED', async (api) => {
    await api.createVolume({ Name: name, Labels: { ...labels } });
    return factsOf(await api.getVolume(name).inspect());
  });
}

export async function volumesLabelled(engine: DockerEngine, ...labels: readonly string[]): Promise<readonly VolumeFacts[]> {
  const { Volumes } = await engine.ask('The volumes can not be listed', 'E_DOCKER_REFUSED', (api) =>
    api.listVolumes({ filters: JSON.stringify({ label: labels }) }),
  );
  return (Volumes ?? []).map(factsOf);
}

export async function removeVolume(engine: DockerEngine, name: string): Promise<void> {
  await engine.find(`The volume ${name} can't be removed`, async (api) => {
    // 409: it is already being removed.
    await api
      .getVolume(name)
      .remove()
      .catch((error: unknown) => (statusOf(error) === 409 ? undefined : Promise.reject(error)));
  });
}

const factsOf = ({ Name, Labels }: { Name: string; Labels?: Record<string, string> | null }): VolumeFacts => ({
  name: Name,
  labels: Labels ?? {},
});
