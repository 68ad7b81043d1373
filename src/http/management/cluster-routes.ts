import { type ClusterInfo, getCluster, shutdown } from '../../contract/cluster.ts';
import { deploy, nextVersion, setReplicas, stopModels } from '../../contract/deploys.ts';
import { clusterErrors } from '../../contract/errors.ts';
import type { Deployments } from '../../deployments/deployments.ts';
import type { Supervisor } from '../../replicas/supervisor.ts';
import type { Api } from '../api.ts';
import { serveCall, serveRead } from './serve-call.ts';

export interface ClusterServices {
  readonly info: ClusterInfo;
  readonly deployments: Deployments;
  readonly supervisor: Supervisor;
  readonly stop: () => void;
}

/** Our additions to the management REST: the server, deploys and replicas. */
export function addClusterRoutes(api: Api, services: ClusterServices): void {
  addServerRoutes(api, services);
  addDeployRoutes(api, services.deployments);
}

function addServerRoutes(api: Api, { info, stop }: ClusterServices): void {
  serveRead(api, getCluster, () => info);
  const { body, gives, ...endpoint } = shutdown;
  const answers = { 200: gives, ...clusterErrors };
  api.serve({ ...endpoint, method: 'POST', tag: 'Cluster', answers }, (_request, reply) => {
    reply.raw.once('finish', stop);
    return reply.send({});
  });
}

function addDeployRoutes(api: Api, deployments: Deployments): void {
  serveCall(api, deploy, ({ sampleBase64, ...body }, abandoned) => {
    const sample = sampleBase64 === undefined ? undefined : Buffer.from(sampleBase64, 'base64');
    return deployments.deploy({ ...body, sample }, abandoned);
  });
  serveCall(api, nextVersion, ({ name }) => ({ version: deployments.nextVersion(name) }));
  serveCall(api, setReplicas, async ({ name, version, replicas }, abandoned) => {
    await deployments.setReplicas(name, version, replicas, abandoned);
    return {};
  });
  serveCall(api, stopModels, async ({ models, inactiveOf }) => {
    await Promise.all([
      ...models.map(({ name, version }) => deployments.stop(name, version)),
      ...inactiveOf.map((name) => deployments.stopInactive(name)),
    ]);
    return {};
  });
}
