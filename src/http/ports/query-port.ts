import type { Log } from '../../log.ts';
import type { RpcReplica } from '../../rpc/rpc-replica.ts';
import { isLoopback } from '../../util/addresses.ts';
import type { UndoStack } from '../../util/undo-stack.ts';

import { Api } from '../api.ts';
import type { Certificate } from '../certificate.ts';
import { addInferenceRoutes, sendInferenceError } from '../open-inference/inference-routes.ts';
import type { ApiEndpoint } from '../openapi.ts';
import { PredictEndpoint } from '../query/predict-endpoint.ts';
import { applicationEndpoints, queryEndpoints } from '../query/query-endpoints.ts';
import { sendQueryError } from '../query/query-errors.ts';
import { addQueryRoutes, type QueryServices } from '../query/query-routes.ts';
import { answerErrors, closeGently, createRestServer, listen } from '../rest-server.ts';

/** Options of both ports. */
export interface PortOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly maxBodyBytes: number;
  readonly maxConnections: number;
  readonly headersMs: number | undefined;
  /** Undefined: plain HTTP. */
  readonly certificate: Certificate | undefined;
  readonly log: Log;
  /** Gets the step that closes it. */
  readonly undo: UndoStack;
}

/** The open port for queries. */
export interface QueryPort {
  readonly queryPort: number;
  readonly queryEndpoints: () => readonly ApiEndpoint[];
}

/** Opens the port for queries: Clipper's REST, the Open Inference Protocol and a document of both. Throws E_PORT_IN_USE. */
export async function openQueryPort(
  services: QueryServices & { readonly replicas: () => readonly RpcReplica[] },
  { host, port, undo, ...limits }: PortOptions,
): Promise<QueryPort> {
  const predict = new PredictEndpoint({ ...services, ...limits });
  const server = createRestServer({ ...limits, sendError: sendQueryError }, predict);
  addQueryRoutes(server, { ...services, isLocal: isLoopback(host) });
  const api = new Api(server);
  api.describe(...queryEndpoints);
  const ofApplications = (): readonly ApiEndpoint[] => services.registry.applications.flatMap(applicationEndpoints);
  await server.register(async (scope) => {
    answerErrors(scope, { ...limits, sendError: sendInferenceError });
    addInferenceRoutes(api.within(scope), services);
  });
  api.serveDocument('clipper-ts: queries', ofApplications);
  undo.push(() => closeGently(server));
  const queryPort = await listen(server, { host, port }, 'queryPort');
  return { queryPort, queryEndpoints: () => [...api.endpoints, ...ofApplications()] };
}
