import { getModelStatus, type ModelStatus } from '../../contract/cluster.ts';
import { modelKey } from '../../control/names.ts';
import type { Registry } from '../../control/registry.ts';
import type { ModelVersion } from '../../control/state-store.ts';
import type { Supervisor } from '../../replicas/supervisor.ts';
import type { RpcReplica } from '../../rpc/rpc-replica.ts';
import { getOrInsert } from '../../util/get-or-insert.ts';
import type { Api } from '../api.ts';
import { serveRead } from './serve-call.ts';

export interface StatusServices {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly replicas: () => readonly RpcReplica[];
}

/** Models with their wanted and actual replicas. */
export function addStatusRoutes(api: Api, services: StatusServices): void {
  serveRead(api, getModelStatus, () => modelStatuses(services));
}

function modelStatuses(services: StatusServices): ModelStatus[] {
  const { registry } = services;
  const live = new Map<string, RpcReplica[]>();
  for (const replica of services.replicas()) getOrInsert(live, replica.model, () => []).push(replica);
  const linked = registry.applications.map(({ name }) => ({ name, models: registry.linkedModels(name) }));
  const names = [...new Set(registry.models.map(({ name }) => name))].sort();
  return names.map((name) => {
    const version = registry.currentVersion(name);
    // It may have been deleted.
    const currentVersion = version !== undefined && registry.model(name, version) !== undefined ? version : undefined;
    return {
      name,
      ...(currentVersion === undefined ? {} : { currentVersion }),
      applications: linked.filter(({ models }) => models.includes(name)).map((application) => application.name),
      versions: registry.versionsOf(name).map((model) => versionStatus(model, services, live)),
    };
  });
}

function versionStatus(
  { name, version, inputType, labels, containerName }: ModelVersion,
  { registry, supervisor }: StatusServices,
  live: ReadonlyMap<string, readonly RpcReplica[]>,
): ModelStatus['versions'][number] {
  const deployment = registry.deployment(name, version);
  const fleet = supervisor.fleet(name, version);
  const pids = new Map(fleet?.running.map(({ instance, pid }) => [instance, pid]));
  const crashLoop = fleet?.crashLoop;
  return {
    ...{ version, isCurrent: registry.currentVersion(name) === version, inputType, labels: [...labels], image: containerName },
    replicas: {
      ...(deployment === undefined ? {} : { wanted: deployment.replicas }),
      isStopped: deployment?.isStopped === true,
      live: (live.get(modelKey(name, version)) ?? []).map(({ replicaId, instance = '' }) => {
        const pid = pids.get(instance);
        return { replicaId, ...(instance === '' ? {} : { instance }), ...(pid === undefined ? {} : { pid }) };
      }),
      ...(crashLoop === undefined
        ? {}
        : { crashLoop: { ...crashLoop, at: crashLoop.at.toISOString(), log: [...crashLoop.log] } }),
    },
  };
}
