import { join } from 'node:path';
import { openBackend } from '../backends.ts';
import { backends } from '../contract/backends.ts';
import { keepRpcPort } from '../control/identity.ts';
import type { Identity } from '../control/state-store.ts';
import { isClipperError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { InstanceBackend } from '../replicas/backend.ts';
import { describeCrashLoop } from '../replicas/crash-loop.ts';
import { InstanceFleets } from '../replicas/instance-fleets.ts';
import { sweepLogs } from '../replicas/process/log-file.ts';
import { Supervisor } from '../replicas/supervisor.ts';
import { RpcServer } from '../rpc/rpc-server.ts';
import { UndoStack } from '../util/undo-stack.ts';
import type { Parts, ServeOptions } from './parts.ts';

/** The RPC server, the backend and the supervisor. */
export interface Replicas {
  readonly rpc: RpcServer;
  readonly backend: InstanceBackend;
  readonly supervisor: Supervisor;
}

/** Opens them on the previous server's RPC port if any port will do: containers that outlived that server connect to it. */
export async function openReplicas(parts: Parts, identity: Identity): Promise<Replicas> {
  const { options, state, log } = parts;
  const open = (rpcPort: number): Promise<Replicas> => openReplicasOn(rpcPort, identity.stateId, parts);
  const isAny = backends[options.backend].outlivesServer && options.rpcPort === 0;
  const replicas = await open(isAny ? identity.rpcPort : options.rpcPort).catch((error: unknown) => {
    if (!isAny || identity.rpcPort === 0 || !isClipperError(error) || error.code !== 'E_PORT_IN_USE') throw error;
    log.warn({ rpcPort: identity.rpcPort }, 'the RPC port of the earlier server is taken: its replicas are restarted');
    return open(0);
  });
  await keepRpcPort(state, identity, replicas.rpc.port);
  return replicas;
}

/** The RPC server and the supervisor notify each other. */
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
  const backend = await openOwnBackend(options, stateId, { rpc, log });
  undo.push(async () => backend[Symbol.asyncDispose]());
  const opened = openSupervisor(backend, rpc, { log, frontend, events });
  undo.push(() => opened[Symbol.asyncDispose]());
  supervisor = opened;
  // Replicas that outlived their server may already have connected.
  for (const replica of rpc.replicas) opened.connected(replica);
  const steps = undo.move();
  all.push(() => steps[Symbol.asyncDispose]());
  return { rpc, backend, supervisor };
}

const openSupervisor = (
  backend: InstanceBackend,
  rpc: RpcServer,
  { log, frontend, events }: Pick<Parts, 'log' | 'frontend' | 'events'>,
): Supervisor =>
  new Supervisor(new InstanceFleets(backend, log), log, {
    onStopping: async (instance) => {
      const stopping = rpc.replicas.filter((replica) => replica.instance === instance);
      await Promise.all(stopping.map((replica) => frontend.drain(replica)));
    },
    onEnded: ({ spec: { modelName: model, modelVersion: version }, instance, how, isIntended }) => {
      rpc.instanceEnded(instance, `it ended with ${how}`);
      if (isIntended) return;
      events.add({ kind: 'died', model, version, instance, message: `The replica ${instance} ended with ${how}` });
    },
    onGaveUp: ({ modelName: model, modelVersion: version }, crashLoop) => {
      const message = `Replicas of ${model}:${version} are not started any more: ${describeCrashLoop(crashLoop)}`;
      events.add({ kind: 'gave_up', model, version, message });
    },
  });

async function openOwnBackend(
  { backend, name, host, stateDir, removeStateDir }: ServeOptions,
  stateId: string,
  { rpc, log }: { readonly rpc: RpcServer; readonly log: Log },
): Promise<InstanceBackend> {
  const dir = join(stateDir, 'replicas');
  void sweepLogs(dir);
  const isEverywhere = host === '0.0.0.0';
  return openBackend(backend, {
    cluster: name,
    ...(removeStateDir === true ? {} : { stateId }),
    dir,
    rpcPort: rpc.port,
    rpcHost: isEverywhere ? '127.0.0.1' : host,
    serverKey: rpc.serverKey,
    listenOn: async (address) => {
      if (!isEverywhere && address !== host) await rpc.alsoListenOn(address);
    },
    log,
  });
}
