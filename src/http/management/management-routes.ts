import { text } from '../../contract/call.ts';
import { ping } from '../../contract/cluster.ts';
import { refusals } from '../../contract/errors.ts';
import type { Registry } from '../../control/registry.ts';
import type { Deployments } from '../../deployments/deployments.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { RpcReplica } from '../../rpc/rpc-replica.ts';
import type { QueryFrontend } from '../../serving/query-frontend.ts';
import type { Api } from '../api.ts';
import { metricsAnswer } from '../query/query-endpoints.ts';
import { sendMetrics } from '../query/query-routes.ts';
import { addApplicationRoutes } from './application-routes.ts';
import { addModelRoutes } from './model-routes.ts';
import { addReplicaRoutes } from './replica-routes.ts';

export interface ManagementServices {
  readonly registry: Registry;
  readonly deployments: Deployments;
  readonly metrics: Metrics;
  readonly frontend: QueryFrontend;
  readonly forget: (application: string) => Promise<void>;
  readonly replicas: () => readonly RpcReplica[];
}

/** Clipper's management REST. Success is text or JSON with status 200, a refusal is its reason with status 400. */
export function addManagementRoutes(api: Api, services: ManagementServices): void {
  const { registry, deployments, metrics, frontend, forget, replicas } = services;
  addApplicationRoutes(api, { registry, forget });
  addModelRoutes(api, { registry, deployments });
  addReplicaRoutes(api, replicas);
  const tag = 'Server';
  api.serve(
    {
      method: 'GET',
      path: ping.path,
      name: ping.name,
      tag,
      summary: ping.summary,
      asks: 'nothing',
      answers: { 200: { 'text/plain': text }, 403: refusals[403] },
    },
    (_request, reply) => reply.type('text/plain; charset=utf-8').send('PONG'),
  );
  api.serve(
    {
      method: 'GET',
      path: '/admin/metrics',
      name: 'managementMetrics',
      tag,
      summary: 'What the server counts.',
      answers: { 200: metricsAnswer, ...refusals },
    },
    (request, reply) => sendMetrics({ metrics, frontend }, request, reply),
  );
}
