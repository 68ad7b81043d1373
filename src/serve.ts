import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Backend } from './backends/backend.ts';
import { Deployments } from './backends/deployments.ts';
import { DockerBackend } from './backends/docker-backend.ts';
import { ProcessBackend } from './backends/process-backend.ts';
import { Supervisor } from './backends/supervisor.ts';
import { MemoryStore } from './control/memory-store.ts';
import { Registry } from './control/registry.ts';
import { Api } from './http/api.ts';
import { addClusterRoutes, sendClusterError } from './http/cluster-routes.ts';
import { addFeedbackRoutes } from './http/feedback-routes.ts';
import { sendManagementError } from './http/management-endpoint.ts';
import { addManagementRoutes } from './http/management-routes.ts';
import { addInferenceRoutes, sendInferenceError } from './http/open-inference/inference-routes.ts';
import type { Endpoint } from './http/openapi.ts';
import { PredictEndpoint } from './http/predict-endpoint.ts';
import { sendQueryError } from './http/query-errors.ts';
import { addQueryRoutes } from './http/query-routes.ts';
import { applicationEndpoints, queryEndpoints } from './http/query-schemas.ts';
import { answerErrors, createRestServer, listen } from './http/rest-server.ts';
import type { Log } from './log.ts';
import { Metrics } from './metrics/metrics.ts';
import { RpcServer } from './rpc/rpc-server.ts';
import { Feedback } from './serving/feedback.ts';
import { FeedbackStore } from './serving/feedback-store.ts';
import { QueryFrontend } from './serving/query-frontend.ts';
import { UndoStack } from './util/undo-stack.ts';

export interface ServeOptions {
  readonly name: string;
  readonly backend: BackendName;
  readonly host: string;
  readonly queryPort: number;
  readonly managementPort: number;
  readonly rpcPort: number;
  readonly stateDir: string;
  readonly cacheBytes: number;
  readonly maxBodyBytes: number;
}

export type BackendName = 'process' | 'docker';

/** A server that is up, with the ports that it got. */
export interface RunningServer extends AsyncDisposable {
  readonly queryPort: number;
  readonly managementPort: number;
  readonly rpcPort: number;
}

/** What the parts of a server have in common while they are put together. */
interface Parts {
  readonly options: ServeOptions;
  readonly log: Log;
  readonly undo: UndoStack;
  readonly registry: Registry;
  readonly metrics: Metrics;
  readonly frontend: QueryFrontend;
  readonly feedback: Feedback;
}

/**
 * Starts a cluster's server in this process: query frontend, management, RPC and supervisor. `onStopAsked` is called
 * when a client asks for its end. Throws E_PORT_IN_USE, with nothing left open.
 */
export async function serve(options: ServeOptions, log: Log, onStopAsked: () => void): Promise<RunningServer> {
  await using undo = new UndoStack();
  const metrics = new Metrics();
  const registry = await Registry.open(new MemoryStore());
  const frontend = new QueryFrontend(registry, metrics, options.cacheBytes);
  const store = new FeedbackStore(join(options.stateDir, 'feedback'));
  undo.push(() => store.close());
  const feedback = new Feedback({ registry, metrics, store, replicas: () => replicas.rpc.replicas });
  const parts = { options, log, undo, registry, metrics, frontend, feedback };
  const replicas = await openReplicas(parts);
  const { queryPort, queryEndpoints } = await openQuery(parts, replicas.rpc);
  const managementPort = await openManagement(parts, { ...replicas, queryPort, queryEndpoints, onStopAsked });
  const running = undo.move();
  const rpcPort = replicas.rpc.port;
  return { queryPort, managementPort, rpcPort, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

interface Replicas {
  readonly rpc: RpcServer;
  readonly backend: Backend;
  readonly supervisor: Supervisor;
}

/** The RPC server and the supervisor, which learn of replicas from each other. */
async function openReplicas({ options, log, undo, frontend }: Parts): Promise<Replicas> {
  const rpc = await RpcServer.listen({
    host: options.host,
    port: options.rpcPort,
    log,
    onConnected: (replica) => {
      log.info({ model: replica.model, replica: replica.replicaId }, 'a replica connected');
      frontend.replicaConnected(replica);
      supervisor.connected(replica);
    },
    onLost: (replica, isHung) => {
      log.info({ model: replica.model, replica: replica.replicaId }, 'a replica is gone');
      frontend.replicaGone(replica);
      if (isHung) supervisor.replace(replica);
    },
  });
  undo.push(() => rpc.close());
  const backend = await openBackend(options, rpc, log);
  undo.push(async () => backend[Symbol.asyncDispose]());
  const supervisor = new Supervisor(backend, log, {
    onStopping: (instance) => {
      for (const replica of rpc.replicas) if (replica.instance === instance) frontend.replicaGone(replica);
    },
    onEnded: (instance, { how }) => rpc.instanceEnded(instance, `it ended with ${how}`),
  });
  undo.push(() => supervisor[Symbol.asyncDispose]());
  return { rpc, backend, supervisor };
}

async function openBackend({ backend, name, host, stateDir }: ServeOptions, rpc: RpcServer, log: Log): Promise<Backend> {
  const dir = join(stateDir, 'replicas');
  const isEverywhere = host === '0.0.0.0';
  if (backend === 'process') return new ProcessBackend({ dir, rpcHost: isEverywhere ? '127.0.0.1' : host, rpcPort: rpc.port });
  const listenOn = async (address: string): Promise<void> => {
    if (!isEverywhere && address !== host) await rpc.alsoListenOn(address);
  };
  return DockerBackend.open({ cluster: name, dir, rpcPort: rpc.port, listenOn, log });
}

/** What is served of queries, and where. */
interface QueryPort {
  readonly queryPort: number;
  readonly queryEndpoints: () => readonly Endpoint[];
}

async function openQuery({ options, log, undo, ...services }: Parts, rpc: RpcServer): Promise<QueryPort> {
  const { maxBodyBytes } = options;
  const predict = new PredictEndpoint({ ...services, maxBodyBytes, log });
  const server = createRestServer({ log, maxBodyBytes, sendError: sendQueryError }, predict);
  addQueryRoutes(server, services);
  const api = new Api(server);
  api.describe(...queryEndpoints);
  const ofApplications = (): readonly Endpoint[] => services.registry.applications.flatMap(applicationEndpoints);
  await server.register(async (scope) => {
    answerErrors(scope, { log, maxBodyBytes, sendError: sendInferenceError });
    addInferenceRoutes(api.within(scope), { ...services, replicas: () => rpc.replicas });
  });
  api.serveDocument('clipper-ts: queries', ofApplications);
  undo.push(() => server.close());
  const queryPort = await listen(server, { host: options.host, port: options.queryPort }, 'queryPort');
  return { queryPort, queryEndpoints: () => [...api.endpoints, ...ofApplications()] };
}

async function openManagement(
  { options, log, undo, registry, metrics, feedback }: Parts,
  {
    rpc,
    backend,
    supervisor,
    queryPort,
    queryEndpoints: ofQueries,
    onStopAsked,
  }: Replicas & QueryPort & { onStopAsked: () => void },
): Promise<number> {
  const storeDir = join(options.stateDir, 'bundles');
  await mkdir(storeDir, { recursive: true });
  const { maxBodyBytes, host, name } = options;
  const server = createRestServer({ log, maxBodyBytes, sendError: sendManagementError });
  const api = new Api(server);
  addManagementRoutes(api, { registry, metrics, feedback, replicas: () => rpc.replicas });
  const engine = backend instanceof DockerBackend ? { engineId: backend.engine.facts.id } : {};
  const facts = { ...engine, name, backend: backend.name, pid: process.pid, storeDir, hostname: hostname(), queryPort };
  await server.register(async (scope) => {
    answerErrors(scope, { log, maxBodyBytes, sendError: sendClusterError });
    const deployments = new Deployments(registry, supervisor, storeDir);
    addClusterRoutes(api.within(scope), { info: { ...facts, rpcPort: rpc.port }, deployments, supervisor, stop: onStopAsked });
    addFeedbackRoutes(api.within(scope), { registry, feedback });
  });
  // The query port's document tells nothing of management; this one tells of both.
  api.serveDocument('clipper-ts', ({ hostname: asked }) =>
    ofQueries()
      .filter(({ path }) => path !== '/openapi.json')
      .map((endpoint) => ({ ...endpoint, url: `http://${asked}:${queryPort}` })),
  );
  undo.push(() => server.close());
  return listen(server, { host, port: options.managementPort }, 'managementPort');
}
