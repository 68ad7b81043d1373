import Dockerode from 'dockerode';
import { labels } from '../../src/docker/labels.ts';

/** What a cluster has on an engine. */
export interface ClusterThings {
  /** Its replicas. */
  readonly containers: readonly Dockerode.ContainerInfo[];
  /** The ids of the containers that hold its networks. */
  readonly sandboxes: readonly string[];
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
    containers: containers.filter(({ Labels }) => labels.instance in Labels),
    sandboxes: containers.filter(({ Labels }) => labels.sandbox in Labels).map(({ Id }) => Id),
    networks: networks.map(({ Name }) => Name).sort(),
    images: images.flatMap(({ RepoTags }) => RepoTags ?? []).sort(),
  };
}

export const nothing: ClusterThings = { containers: [], sandboxes: [], networks: [], images: [] };
