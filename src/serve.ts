import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Artifacts } from './backends/artifacts.ts';
import { Autoscaler, type Load } from './backends/autoscaler.ts';
import type { Backend } from './backends/backend.ts';
import { describeCrashLoop } from './backends/crash-loop.ts';
import { Deployments } from './backends/deployments.ts';
import { DockerBackend } from './backends/docker-backend.ts';
import { ProcessBackend } from './backends/process-backend.ts';
import { resumeAll } from './backends/resume.ts';
import { Supervisor } from './backends/supervisor.ts';
import { EventLog } from './control/event-log.ts';
import { identityOf, keepRpcPort } from './control/identity.ts';
import { LmdbStore } from './control/lmdb-store.ts';
import { checkName } from './control/names.ts';
import { Registry } from './control/registry.ts';
import type { Deployment, StateStore, Traffic } from './control/state-store.ts';
import { isClipperError } from './errors.ts';
import { Certificate } from './http/certificate.ts';
import type { ClusterServices } from './http/cluster-routes.ts';
import { openManagementPort } from './http/management-port.ts';
import type { ManagementServices } from './http/management-routes.ts';
import { openQueryPort } from './http/query-port.ts';
import type { Log } from './log.ts';
import { Metrics } from './metrics/metrics.ts';
import type { RpcSecurity } from './rpc/curve.ts';
import { RpcServer } from './rpc/rpc-server.ts';
import { FallbackLog } from './serving/fallback-log.ts';
import { Feedback } from './serving/feedback.ts';
import { FeedbackStore } from './serving/feedback-store.ts';
import { QueryFrontend } from './serving/query-frontend.ts';
import { Rollouts, type Verdict } from './serving/rollout.ts';
import { urlsOf } from './util/addresses.ts';
import type { TlsOptions } from './util/pem.ts';
import { ClusterName } from './util/running-clusters.ts';
import { takeStateDir } from './util/state-dir.ts';
import { tokenOf } from './util/token-file.ts';
import { UndoStack } from './util/undo-stack.ts';

export interface ServeOptions {
  readonly name: string;
  readonly backend: BackendName;
  /** Where queries and RPC are listened for. */
  readonly host: string;
  readonly managementHost: string;
  /** What management asks for; left out: nothing on a loopback address, else one that is made. */
  readonly token?: string | undefined;
  readonly queryPort: number;
  readonly managementPort: number;
  readonly rpcPort: number;
  /** Left out: none. */
  readonly rpcSecurity?: RpcSecurity | undefined;
  readonly stateDir: string;
  /** Whether its folder goes with it, and with that what it was to be; left out: no. */
  readonly removeStateDir?: boolean;
  /** The URL of a Redis that keeps the cluster's state; left out: it is kept in `stateDir`. */
  readonly state?: string | undefined;
  /** For both REST ports; left out: they speak plain HTTP. */
  readonly tls?: TlsOptions | undefined;
  readonly cacheBytes: number;
  readonly maxBodyBytes: number;
  /** At once, for each REST port. */
  readonly maxConnections: number;
  /** How long a client may take over the headers of a request; left out: 15 s. */
  readonly headersMs?: number | undefined;
}

const collectEveryMs = 600_000;

export type BackendName = 'process' | 'docker';

/** A server that is up, with the ports that it got. */
export interface RunningServer extends AsyncDisposable {
  readonly queryPort: number;
  readonly managementPort: number;
  readonly rpcPort: number;
  readonly token: string | undefined;
}

/** What the parts of a server have in common while they are put together. */
interface Parts {
  readonly options: ServeOptions;
  readonly log: Log;
  readonly undo: UndoStack;
  readonly state: StateStore;
  readonly registry: Registry;
  readonly events: EventLog;
  readonly metrics: Metrics;
  readonly frontend: QueryFrontend;
  readonly feedback: Feedback;
}

/**
 * Starts a cluster's server in this process: query frontend, management, RPC and supervisor. `onStopAsked` is called
 * when a client asks for its end. Throws E_CLUSTER_EXISTS, E_PORT_IN_USE, E_STORE_FAILED, with nothing left open.
 */
export async function serve(options: ServeOptions, log: Log, onStopAsked: () => void): Promise<RunningServer> {
  await using undo = new UndoStack();
  const name = await takeName(options, undo);
  const metrics = new Metrics();
  const state = await openStore(options, log);
  undo.push(async () => state[Symbol.asyncDispose]());
  const registry = await Registry.open(state);
  const events = await EventLog.open(state, log);
  undo.push(() => events.flush());
  const frontend = new QueryFrontend(registry, metrics, options.cacheBytes);
  const fallbacks = new FallbackLog(log, events);
  frontend.onFallback = (query) => fallbacks.add(query);
  const store = new FeedbackStore(join(options.stateDir, 'feedback'));
  undo.push(() => store.close());
  const feedback = new Feedback({ registry, metrics, store, replicas: () => replicas.rpc.replicas });
  const parts = { options, log, undo, state, registry, events, metrics, frontend, feedback };
  const replicas = await openReplicas(parts);
  const token = await tokenOf(options);
  const { resume, ...ports } = await openPorts(parts, { ...replicas, token: token?.text, stop: onStopAsked });
  await name.announce({ ...urlsOf(options, ports), ...(token === undefined ? {} : { tokenFile: token.file }) });
  events.add({ kind: 'server_started', message: `The server of cluster ${options.name} is up, as process ${process.pid}` });
  undo.push(async () => events.add({ kind: 'server_stopping', message: 'The server stops' }));
  undo.push(() => name.announce({ isStopping: true }));
  // A server that can't start leaves what it found as it was.
  resume().catch((error: unknown) => log.error({ err: error }, 'not all that an earlier server left could be taken up'));
  const running = undo.move();
  const more = { rpcPort: replicas.rpc.port, token: token?.text };
  return { ...ports, ...more, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

/** Opens both REST ports. */
async function openPorts(
  parts: Parts,
  { token, stop, ...replicas }: Replicas & { readonly token: string | undefined; readonly stop: () => void },
): Promise<Pick<RunningServer, 'queryPort' | 'managementPort'> & { readonly resume: () => Promise<void> }> {
  const { options, log, undo, registry, events, metrics, feedback, frontend } = parts;
  const { host, managementHost, maxBodyBytes, maxConnections, headersMs } = options;
  const shared = { registry, events, metrics, feedback, frontend, replicas: () => replicas.rpc.replicas };
  const certificate = await certificateOf(options, log, undo);
  const port = { host, maxBodyBytes, maxConnections, headersMs, certificate, log, undo };
  const queries = await openQueryPort(shared, { ...port, port: options.queryPort });
  const cluster = await clusterServices(parts, { ...replicas, queryPort: queries.queryPort, stop });
  const managementPort = await openManagementPort(
    { ...shared, ...queries, ...cluster },
    { ...port, host: managementHost, port: options.managementPort, token },
  );
  return { queryPort: queries.queryPort, managementPort, resume: cluster.resume };
}

/** Makes sure that no other server has the cluster's name on this machine, or its folder. Both are free again at the very end. */
async function takeName({ name: cluster, stateDir }: ServeOptions, undo: UndoStack): Promise<ClusterName> {
  const name = await ClusterName.take(checkName(cluster, 'cluster name'), stateDir);
  undo.push(() => name[Symbol.asyncDispose]());
  const dir = await takeStateDir(stateDir, cluster);
  undo.push(async () => dir[Symbol.asyncDispose]());
  return name;
}

async function certificateOf({ tls }: ServeOptions, log: Log, undo: UndoStack): Promise<Certificate | undefined> {
  if (tls === undefined) return undefined;
  const certificate = await Certificate.load(tls, log);
  undo.push(async () => certificate[Symbol.dispose]());
  return certificate;
}

async function openStore({ state, stateDir, name }: ServeOptions, log: Log): Promise<StateStore> {
  if (state === undefined) return LmdbStore.open(join(stateDir, 'state'));
  // Loaded only where it is wanted: a server is up the sooner.
  const { RedisStore } = await import('./control/redis-store.ts');
  return RedisStore.open({ url: state, cluster: name, log });
}

interface Replicas {
  readonly rpc: RpcServer;
  readonly backend: Backend;
  readonly supervisor: Supervisor;
}

/** On the port of the server before this one, where it may be any: containers that outlived that one connect to it. */
async function openReplicas(parts: Parts): Promise<Replicas> {
  const { options, state, log } = parts;
  const identity = await identityOf(state);
  const open = (rpcPort: number): Promise<Replicas> => openReplicasOn(rpcPort, identity.stateId, parts);
  const isAny = options.backend === 'docker' && options.rpcPort === 0;
  const replicas = await open(isAny ? identity.rpcPort : options.rpcPort).catch((error: unknown) => {
    if (!isAny || identity.rpcPort === 0 || !isClipperError(error) || error.code !== 'E_PORT_IN_USE') throw error;
    log.warn({ rpcPort: identity.rpcPort }, 'the RPC port of the server before this one is taken: its replicas are started anew');
    return open(0);
  });
  await keepRpcPort(state, identity, replicas.rpc.port);
  return replicas;
}

/** The RPC server and the supervisor, which learn of replicas from each other. */
async function openReplicasOn(
  rpcPort: number,
  stateId: string,
  { options, log, undo: all, state, frontend, events }: Parts,
): Promise<Replicas> {
  await using undo = new UndoStack();
  let supervisor: Supervisor | undefined;
  const rpc = await RpcServer.listen({
    host: options.host,
    port: rpcPort,
    security: options.rpcSecurity,
    log,
    onConnected: (replica) => {
      const { modelName: model, modelVersion: version, replicaId, instance } = replica;
      const message = `Replica ${replicaId} of ${model}:${version} connected`;
      events.add({ kind: 'ready', model, version, ...(instance === undefined ? {} : { instance }), message });
      frontend.replicaConnected(replica);
      state.replicas?.connected(replica);
      supervisor?.connected(replica);
    },
    onLost: (replica, isHung) => {
      log.info({ model: replica.model, replica: replica.replicaId }, 'a replica is gone');
      frontend.replicaGone(replica);
      state.replicas?.gone(replica);
      if (isHung) supervisor?.replace(replica);
    },
  });
  undo.push(() => rpc.close());
  const backend = await openBackend(options, stateId, { rpc, log });
  undo.push(async () => backend[Symbol.asyncDispose]());
  const opened = openSupervisor(backend, rpc, { log, frontend, events });
  undo.push(() => opened[Symbol.asyncDispose]());
  supervisor = opened;
  // Those that outlived a server may be faster.
  for (const replica of rpc.replicas) opened.connected(replica);
  frontend.whyAbsent = (model) => opened.whyAbsent(model);
  const steps = undo.move();
  all.push(() => steps[Symbol.asyncDispose]());
  return { rpc, backend, supervisor };
}

const openSupervisor = (
  backend: Backend,
  rpc: RpcServer,
  { log, frontend, events }: Pick<Parts, 'log' | 'frontend' | 'events'>,
): Supervisor =>
  new Supervisor(backend, log, {
    onStopping: async (instance) => {
      const stopping = rpc.replicas.filter((replica) => replica.instance === instance);
      await Promise.all(stopping.map((replica) => frontend.drain(replica)));
    },
    onEnded: ({ spec, instance, how, isIntended }) => {
      rpc.instanceEnded(instance, `it ended with ${how}`);
      if (isIntended) return;
      const { modelName: model, modelVersion: version } = spec;
      events.add({ kind: 'died', model, version, instance, message: `The replica ${instance} ended with ${how}` });
    },
    onGaveUp: ({ modelName: model, modelVersion: version }, crashLoop) => {
      const message = `Replicas of ${model}:${version} are not started any more: ${describeCrashLoop(crashLoop)}`;
      events.add({ kind: 'gave_up', model, version, message });
    },
  });

async function openBackend(
  { backend, name, host, stateDir, removeStateDir }: ServeOptions,
  stateId: string,
  { rpc, log }: { readonly rpc: RpcServer; readonly log: Log },
): Promise<Backend> {
  const dir = join(stateDir, 'replicas');
  const isEverywhere = host === '0.0.0.0';
  const shared = { dir, rpcPort: rpc.port, serverKey: rpc.serverKey };
  if (backend === 'process') return new ProcessBackend({ ...shared, rpcHost: isEverywhere ? '127.0.0.1' : host });
  const listenOn = async (address: string): Promise<void> => {
    if (!isEverywhere && address !== host) await rpc.alsoListenOn(address);
  };
  const kept = removeStateDir === true ? {} : { stateId };
  return DockerBackend.open({ ...shared, ...kept, cluster: name, listenOn, log });
}

/** What management does beyond the registry. */
async function clusterServices(
  { options, log, undo, registry, events, frontend, feedback }: Parts,
  { rpc, backend, supervisor, queryPort, stop }: Replicas & { readonly queryPort: number; readonly stop: () => void },
): Promise<ClusterServices & Pick<ManagementServices, 'forget'> & { readonly resume: () => Promise<void> }> {
  const storeDir = join(options.stateDir, 'bundles');
  await mkdir(storeDir, { recursive: true });
  const engine = backend instanceof DockerBackend ? { engineId: backend.engine.facts.id } : {};
  const where = { pid: process.pid, hostname: hostname(), storeDir, queryPort, rpcPort: rpc.port };
  const forget = async (application: string): Promise<void> => {
    frontend.forget(application);
    await feedback.forget(application);
  };
  const key = rpc.serverKey === undefined ? {} : { rpcServerKey: rpc.serverKey };
  const info = { ...engine, ...key, name: options.name, backend: backend.name, ...where };
  const deployments = new Deployments({ registry, supervisor, artifacts: new Artifacts(storeDir), events, log });
  const ending = new AbortController();
  undo.push(async () => ending.abort());
  const rollouts = new Rollouts({
    splitter: frontend.splitter,
    traffics: () => registry.traffics,
    currentVersion: (model) => registry.currentVersion(model),
    whyGivenUp: (model, version) => supervisor.whyGivenUp(model, version),
    carryOut: (traffic, candidate, verdict) => carryOut({ registry, deployments, events }, { traffic, candidate, verdict }),
  });
  undo.push(async () => rollouts[Symbol.dispose]());
  const loadOf = (deployment: Deployment): Load => frontend.loadOf(deployment);
  const autoscaler = new Autoscaler({ registry, supervisor, events, log, loadOf });
  undo.push(async () => autoscaler[Symbol.dispose]());
  frontend.wake = (model) => autoscaler.wake(...(model.split(':') as [string, string]));
  const resume = async (): Promise<void> => {
    await resumeAll({ registry, deployments, log }, ending.signal);
    if (ending.signal.aborted) return;
    await supervisor.endLeft();
    await deployments.collect();
    if (ending.signal.aborted) return;
    const timer = setInterval(() => void deployments.collect(), collectEveryMs).unref();
    ending.signal.addEventListener('abort', () => clearInterval(timer));
  };
  return { info, deployments, supervisor, stop, forget, resume };
}

/** Switches to a candidate that did well, or takes its traffic from one that did not. */
async function carryOut(
  { registry, deployments, events }: Pick<Parts, 'registry' | 'events'> & { readonly deployments: Deployments },
  { traffic: { model }, candidate: version, verdict }: { traffic: Traffic; candidate: string; verdict: Verdict },
): Promise<void> {
  const { kind, reason } = verdict;
  if (kind === 'promote') {
    await deployments.activate(model, version, new AbortController().signal);
    events.add({ kind: 'promoted', model, version, message: `${model}:${version} was promoted: ${reason}` });
    return;
  }
  await registry.setTraffic(model, undefined);
  events.add({ kind: 'rolled_back', model, version, message: `${model}:${version} was given up: ${reason}` });
}
