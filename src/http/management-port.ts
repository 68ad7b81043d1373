import type { EventLog } from '../control/event-log.ts';
import type { Feedback } from '../serving/feedback.ts';
import type { QueryFrontend } from '../serving/query-frontend.ts';
import { Api } from './api.ts';
import { addClusterRoutes, type ClusterServices, sendClusterError } from './cluster-routes.ts';
import { addEventRoutes } from './event-routes.ts';
import { addFeedbackRoutes } from './feedback-routes.ts';
import { addLogRoutes } from './log-routes.ts';
import { sendManagementError } from './management-endpoint.ts';
import { addManagementRoutes, type ManagementServices } from './management-routes.ts';
import type { PortOptions, QueryPort } from './query-port.ts';
import { answerErrors, createRestServer, listen } from './rest-server.ts';
import { addStatusRoutes } from './status-routes.ts';
import { addTrafficRoutes } from './traffic-routes.ts';

export interface ManagementPortServices extends ManagementServices, ClusterServices, QueryPort {
  readonly events: EventLog;
  readonly frontend: QueryFrontend;
  readonly feedback: Feedback;
}

/** Opens the port for management: Clipper's REST, our additions and a document of everything. Throws E_PORT_IN_USE. */
export async function openManagementPort(
  { queryPort, queryEndpoints, ...services }: ManagementPortServices,
  { host, port, maxBodyBytes, log, undo }: PortOptions,
): Promise<number> {
  const server = createRestServer({ log, maxBodyBytes, sendError: sendManagementError });
  const api = new Api(server);
  addManagementRoutes(api, services);
  await server.register(async (scope) => {
    answerErrors(scope, { log, maxBodyBytes, sendError: sendClusterError });
    addClusterRoutes(api.within(scope), services);
    addStatusRoutes(api.within(scope), services);
    addTrafficRoutes(api.within(scope), services);
    addEventRoutes(api.within(scope), services.events);
    addLogRoutes(api.within(scope), services.supervisor);
    addFeedbackRoutes(api.within(scope), services);
  });
  // The query port's document tells nothing of management; this one tells of both.
  api.serveDocument('clipper-ts', ({ hostname }) =>
    queryEndpoints()
      .filter(({ path }) => path !== '/openapi.json')
      .map((endpoint) => ({ ...endpoint, url: `http://${hostname}:${queryPort}` })),
  );
  undo.push(() => server.close());
  return listen(server, { host, port }, 'managementPort');
}
