import Dockerode from 'dockerode';
import { labels } from '../../src/docker/labels.ts';

/** What a cluster has on an engine. */
export interface ClusterThings {
  readonly containers: readonly Dockerode.ContainerInfo[];
  readonly networks: readonly string[];
  readonly images: readonly string[];
}

export async function thingsOf(cluster: string, api = new Dockerode()): Promise<ClusterThings> {
  const label = [`${labels.cluster}=${cluster}`];
  const [containers, networks, images] = await Promise.all([
    api.listContainers({ all: true, filters: { label } }),
    api.listNetworks({ filters: { label } }),
    api.listImages({ filters: { reference: [`clipper-ts/${cluster}/*`] } }),
  ]);
  return {
    containers,
    networks: networks.map(({ Name }) => Name).sort(),
    images: images.flatMap(({ RepoTags }) => RepoTags ?? []).sort(),
  };
}

export const nothing: ClusterThings = { containers: [], networks: [], images: [] };
