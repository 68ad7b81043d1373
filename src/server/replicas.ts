import { join } from 'node:path';
import { keepRpcPort } from '../control/identity.ts';
import type { Identity } from '../control/state-store.ts';
import { isClipperError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Backend } from '../replicas/backend.ts';
import { describeCrashLoop } from '../replicas/crash-loop.ts';
import { DockerBackend } from '../replicas/docker/docker-backend.ts';
import { sweepLogs } from '../replicas/process/log-file.ts';
import { ProcessBackend } from '../replicas/process/process-backend.ts';
import { Supervisor } from '../replicas/supervisor.ts';
import { RpcServer } from '../rpc/rpc-server.ts';
import { UndoStack } from '../util/undo-stack.ts';
import type { Parts, ServeOptions } from './parts.ts';

/** What runs replicas, and what speaks to them. */
export interface Replicas {
  readonly rpc: RpcServer;
  readonly backend: Backend;
  readonly supervisor: Supervisor;
}

/** On the port of the server before this one, where it may be any: containers that outlived that one connect to it. */
export async function openReplicas(parts: Parts, identity: Identity): Promise<Replicas> {
  const { options, state, log } = parts;
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

async function openBackend(
  { backend, name, host, stateDir, removeStateDir }: ServeOptions,
  stateId: string,
  { rpc, log }: { readonly rpc: RpcServer; readonly log: Log },
): Promise<Backend> {
  const dir = join(stateDir, 'replicas');
  void sweepLogs(dir);
  const isEverywhere = host === '0.0.0.0';
  const shared = { dir, rpcPort: rpc.port, serverKey: rpc.serverKey };
  if (backend === 'process') return new ProcessBackend({ ...shared, rpcHost: isEverywhere ? '127.0.0.1' : host });
  const listenOn = async (address: string): Promise<void> => {
    if (!isEverywhere && address !== host) await rpc.alsoListenOn(address);
  };
  const kept = removeStateDir === true ? {} : { stateId };
  return DockerBackend.open({ ...shared, ...kept, cluster: name, listenOn, log });
}
