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

/** Removes what killed servers left, and what processes left that were killed while they inspected images. */
export async function sweepDeadServers(engine: DockerEngine): Promise<void> {
  const things = await thingsLabelled(engine, labels.server);
  const servers = new Map(things.map((each) => [each[labels.server] ?? '', each]));
  for (const [server, { [labels.cluster]: cluster = '', [labels.state]: state }] of servers) {
    if (!(await isServerAlive(engine, server))) await sweepServer(engine, server, { cluster, keepsImages: state !== undefined });
  }
}

/** The labels of every container, network and volume that carries the wanted labels. */
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
 * Removes what a server has on an engine: its containers, networks and volumes. Also removes its cluster's images, unless
 * the cluster has persisted state: its next server starts replicas from them.
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
  // Another server may have taken the name, and then the images are its own.
  const isTaken = (await networksLabelled(engine, `${labels.cluster}=${cluster}`)).length > 0;
  if (cluster !== '' && !isTaken && !keepsImages) await removeImages(engine, await clusterImages(engine, cluster));
}

/** The names of a cluster's images. */
export const clusterImages = (engine: DockerEngine, cluster: string): Promise<readonly string[]> =>
  imagesNamed(engine, `${imageRepository(cluster)}/*`);

export async function removeImages(engine: DockerEngine, tags: readonly string[]): Promise<void> {
  for (const tag of tags) {
    // An image from a registry is also held by its digest.
    const { digests = [] } = (await findImage(engine, tag)) ?? {};
    for (const reference of [tag, ...digests]) await removeImage(engine, reference);
  }
}

/** Waits until they are gone, as some may already be in removal. Until then, their networks and images are in use. */
async function removeContainers(engine: DockerEngine, label: string): Promise<void> {
  for (const end = performance.now() + removalMs; performance.now() < end; await setTimeout(50)) {
    const containers = await containersLabelled(engine, label);
    if (containers.length === 0) return;
    await Promise.all(containers.map(({ id }) => removeContainer(engine, id)));
  }
}

/** Removes runtime images of earlier versions of Node or of this package. Keeps recent ones, which other projects may use. */
export async function sweepRuntimeImages(engine: DockerEngine): Promise<void> {
  const images = await Promise.all((await imagesNamed(engine, runtimeRepository)).map((tag) => findImage(engine, tag)));
  const byAge = images.filter((image) => image !== undefined).sort((a, b) => (b.namedAt ?? 0) - (a.namedAt ?? 0));
  const old = byAge.slice(keptRuntimeImages).filter(({ namedAt = Date.now() }) => Date.now() - namedAt > keptRuntimeMs);
  for (const { tags } of old) for (const tag of tags) await removeImage(engine, tag);
}
