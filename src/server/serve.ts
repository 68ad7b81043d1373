import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { EventLog } from '../control/event-log.ts';
import { identityOf } from '../control/identity.ts';
import { LmdbStore } from '../control/lmdb-store.ts';
import { checkName } from '../control/names.ts';
import { Registry } from '../control/registry.ts';
import type { StateStore } from '../control/state-store.ts';
import type { Log } from '../log.ts';
import { Metrics } from '../metrics/metrics.ts';
import { FallbackLog } from '../serving/fallback-log.ts';
import { Feedback } from '../serving/feedback.ts';
import { FeedbackStore } from '../serving/feedback-store.ts';
import { QueryFrontend } from '../serving/query-frontend.ts';
import { urlsOf } from '../util/addresses.ts';
import { ClusterName } from '../util/running-clusters.ts';
import { takeStateDir } from '../util/state-dir.ts';
import { tokenOf } from '../util/token-file.ts';
import { UndoStack } from '../util/undo-stack.ts';
import { startControl } from './control.ts';
import type { ServeOptions } from './parts.ts';
import { openPorts } from './ports.ts';
import { openReplicas } from './replicas.ts';

/** A running server and its ports. */
export interface RunningServer extends AsyncDisposable {
  readonly queryPort: number;
  readonly managementPort: number;
  readonly rpcPort: number;
  readonly token: string | undefined;
}

/**
 * Starts a cluster's server in this process: query frontend, management, RPC and supervisor. `onStopAsked` is called when a
 * client asks it to end. Throws E_CLUSTER_EXISTS, E_PORT_IN_USE, E_STORE_FAILED, and then leaves nothing open.
 */
export async function serve(options: ServeOptions, log: Log, onStopAsked: () => void): Promise<RunningServer> {
  await using undo = new UndoStack();
  const name = await takeName(options, undo);
  const metrics = new Metrics();
  const state = await openStore(options, log);
  undo.push(async () => state[Symbol.asyncDispose]());
  const loaded = await state.load();
  const events = EventLog.of(state, loaded, log);
  undo.push(() => events.flush());
  const forget = async (application: string): Promise<void> => {
    frontend.forget(application);
    await feedback.forget(application);
  };
  const registry = await Registry.open(state, {
    state: loaded,
    onDeletedElsewhere: (application) =>
      void forget(application).catch((error) => log.warn({ err: error }, 'feedback could not be removed')),
  });
  const fallbacks = new FallbackLog(log, events);
  const frontend = new QueryFrontend({
    ...{ registry, metrics, cacheBytes: options.cacheBytes },
    onFallback: (query) => fallbacks.add(query),
    // Called only by queries, which arrive once the ports below are open.
    keeper: {
      whyAbsent: (model) => replicas.supervisor.whyAbsent(model),
      wake: (model) => control.autoscaler.wake(model),
      isAsleep: (model) => control.autoscaler.isAsleep(model),
    },
  });
  const store = new FeedbackStore(join(options.stateDir, 'feedback'));
  undo.push(() => store.close());
  const feedback = new Feedback({ registry, metrics, store, replicas: () => replicas.rpc.replicas });
  const parts = { options, log, undo, state, registry, events, metrics, frontend, feedback };
  const replicas = await openReplicas(parts, await identityOf(state, loaded));
  const control = await startControl(parts, replicas);
  const token = await tokenOf(options);
  const ports = await openPorts(parts, { ...replicas, ...control, token: token?.text, stop: onStopAsked, forget });
  await name.announce({ ...urlsOf(options, ports), ...(token === undefined ? {} : { tokenFile: token.file }) });
  events.add({ kind: 'server_started', message: `The server of cluster ${options.name} is up, as process ${process.pid}` });
  undo.push(async () => {
    events.add({ kind: 'server_stopping', message: 'The server stops' });
    // Let followers receive the event before connections close.
    await setImmediate();
  });
  undo.push(() => name.announce({ isStopping: true }));
  // Only now: a server that fails to start must leave what it found as it was.
  control.resume().catch((error: unknown) => log.error({ err: error }, 'not all that an earlier server left could be taken up'));
  const running = undo.move();
  const more = { rpcPort: replicas.rpc.port, token: token?.text };
  return { ...ports, ...more, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

/** Claims the cluster's name on this machine and its folder. Both are released last. */
async function takeName({ name: cluster, stateDir }: ServeOptions, undo: UndoStack): Promise<ClusterName> {
  const name = await ClusterName.take(checkName(cluster, 'cluster name'), stateDir);
  undo.push(() => name[Symbol.asyncDispose]());
  const dir = await takeStateDir(stateDir, cluster);
  undo.push(async () => dir[Symbol.asyncDispose]());
  return name;
}

async function openStore({ state, stateDir, name }: ServeOptions, log: Log): Promise<StateStore> {
  if (state === undefined) return LmdbStore.open(join(stateDir, 'state'));
  // Loaded only if needed, so that other servers start sooner.
  const { RedisStore } = await import('../control/redis-store.ts');
  return RedisStore.open({ url: state, cluster: name, log });
}
