import { setTimeout } from 'node:timers/promises';
import { containersLabelled, removeContainer } from '../../docker/containers.ts';
import type { DockerEngine } from '../../docker/engine.ts';
import { findImage, imagesNamed, removeImage } from '../../docker/images.ts';
import { imageRepository, labels, runtimeRepository } from '../../docker/labels.ts';
import { networksLabelled, removeNetwork } from '../../docker/networks.ts';
import { isServerAlive } from '../../docker/ownership.ts';
import { removeVolume, volumesLabelled } from '../../docker/volumes.ts';

const removalMs = 8_000;
const keptRuntimeImages = 3;
const keptRuntimeMs = 24 * 3_600_000;

/** Takes away what servers left that were killed, and what processes left that looked into images. */
export async function sweepDeadServers(engine: DockerEngine): Promise<void> {
  const things = await thingsLabelled(engine, labels.server);
  const servers = new Map(things.map((each) => [each[labels.server] ?? '', each]));
  for (const [server, { [labels.cluster]: cluster = '', [labels.state]: state }] of servers) {
    if (!(await isServerAlive(engine, server))) await sweepServer(engine, server, { cluster, keepsImages: state !== undefined });
  }
}

/** The labels of every container, network and volume that has these. */
export async function thingsLabelled(
  engine: DockerEngine,
  ...wanted: readonly string[]
): Promise<readonly Readonly<Record<string, string>>[]> {
  const lists = [networksLabelled, containersLabelled, volumesLabelled].map((list) => list(engine, ...wanted));
  return (await Promise.all<readonly { readonly labels: Readonly<Record<string, string>> }[]>(lists))
    .flat()
    .map((each) => each.labels);
}

/**
 * Takes away what a server has on an engine: its containers, networks and volumes, and the images of its cluster, unless that has state
 * that is kept: it starts replicas of them again.
 */
export async function sweepServer(
  engine: DockerEngine,
  server: string,
  { cluster, keepsImages }: { readonly cluster: string; readonly keepsImages: boolean },
): Promise<void> {
  const label = `${labels.server}=${server}`;
  await removeContainers(engine, label);
  const networks = await networksLabelled(engine, label);
  await Promise.all(networks.map(({ id }) => removeNetwork(engine, id)));
  for (const { name } of await volumesLabelled(engine, label)) await removeVolume(engine, name);
  // Its name may be another server's by now, and the images that one's.
  const isTaken = (await networksLabelled(engine, `${labels.cluster}=${cluster}`)).length > 0;
  if (cluster !== '' && !isTaken && !keepsImages) await removeImages(engine, await clusterImages(engine, cluster));
}

/** The names of the images that were made for a cluster. */
export const clusterImages = (engine: DockerEngine, cluster: string): Promise<readonly string[]> =>
  imagesNamed(engine, `${imageRepository(cluster)}/*`);

export async function removeImages(engine: DockerEngine, tags: readonly string[]): Promise<void> {
  for (const tag of tags) {
    // One from a registry is held by its digest too.
    const { digests = [] } = (await findImage(engine, tag)) ?? {};
    for (const reference of [tag, ...digests]) await removeImage(engine, reference);
  }
}

/** Some may be on their way out already, and until they are gone their networks and images are in use. */
async function removeContainers(engine: DockerEngine, label: string): Promise<void> {
  for (const end = performance.now() + removalMs; performance.now() < end; await setTimeout(50)) {
    const containers = await containersLabelled(engine, label);
    if (containers.length === 0) return;
    await Promise.all(containers.map(({ id }) => removeContainer(engine, id)));
  }
}

/** Images of earlier versions of Node or of ours. They are kept for a while, as other projects may use them. */
export async function sweepRuntimeImages(engine: DockerEngine): Promise<void> {
  const images = await Promise.all((await imagesNamed(engine, runtimeRepository)).map((tag) => findImage(engine, tag)));
  const byAge = images.filter((image) => image !== undefined).sort((a, b) => (b.namedAt ?? 0) - (a.namedAt ?? 0));
  const old = byAge.slice(keptRuntimeImages).filter(({ namedAt = Date.now() }) => Date.now() - namedAt > keptRuntimeMs);
  for (const { tags } of old) for (const tag of tags) await removeImage(engine, tag);
}
