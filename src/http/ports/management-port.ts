import type { EventLog } from '../../control/event-log.ts';
import type { Feedback } from '../../serving/feedback.ts';
import type { QueryFrontend } from '../../serving/query-frontend.ts';
import { Api } from '../api.ts';
import { addClusterRoutes, type ClusterServices } from '../management/cluster-routes.ts';
import { addEventRoutes } from '../management/event-routes.ts';
import { addKeyRoutes } from '../management/key-routes.ts';
import { addLogRoutes } from '../management/log-routes.ts';
import { sendManagementError } from '../management/management-endpoint.ts';
import { addManagementRoutes, type ManagementServices } from '../management/management-routes.ts';
import { sendClusterError } from '../management/serve-call.ts';
import { addStatusRoutes } from '../management/status-routes.ts';
import { addTrafficRoutes } from '../management/traffic-routes.ts';
import { refusePages } from '../page-guard.ts';
import { addFeedbackRoutes } from '../query/feedback-routes.ts';
import { answerErrors, createRestServer, listen } from '../rest-server.ts';
import { requireToken } from '../token-guard.ts';
import type { PortOptions, QueryPort } from './query-port.ts';

export interface ManagementPortServices extends ManagementServices, ClusterServices, QueryPort {
  readonly events: EventLog;
  readonly frontend: QueryFrontend;
  readonly feedback: Feedback;
}

export interface ManagementPortOptions extends PortOptions {
  /** The token that requests need, if any. */
  readonly token: string | undefined;
}

/** Opens the port for management: Clipper's REST, our additions and a document of everything. Throws E_PORT_IN_USE. */
export async function openManagementPort(
  { queryPort, queryEndpoints, ...services }: ManagementPortServices,
  { host, port, undo, token, ...limits }: ManagementPortOptions,
): Promise<number> {
  const server = createRestServer({ ...limits, sendError: sendManagementError });
  server.addHook('onRequest', async ({ headers }) => refusePages(headers, token === undefined));
  if (token !== undefined) requireToken(server, token);
  const api = new Api(server, 'token');
  addManagementRoutes(api, services);
  await server.register(async (scope) => {
    answerErrors(scope, { ...limits, sendError: sendClusterError });
    addClusterRoutes(api.within(scope), services);
    addStatusRoutes(api.within(scope), services);
    addTrafficRoutes(api.within(scope), services);
    addEventRoutes(api.within(scope), services.events);
    addLogRoutes(api.within(scope), services);
    addFeedbackRoutes(api.within(scope), services);
    addKeyRoutes(api.within(scope), services.registry);
  });
  // The query port's document leaves management out; this one has both.
  const scheme = limits.certificate === undefined ? 'http' : 'https';
  api.serveDocument('clipper-ts', ({ hostname }) =>
    queryEndpoints()
      .filter(({ path }) => path !== '/openapi.json')
      .map((endpoint) => ({ ...endpoint, url: `${scheme}://${hostname}:${queryPort}` })),
  );
  undo.push(() => server.close());
  return listen(server, { host, port }, 'managementPort');
}
