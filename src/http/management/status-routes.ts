import { clusterErrors } from '../../contract/errors.ts';
import { modelKey } from '../../control/names.ts';
import type { Registry } from '../../control/registry.ts';
import type { ModelVersion } from '../../control/state-store.ts';
import { inputTypes } from '../../protocol/input-types.ts';
import type { Supervisor } from '../../replicas/supervisor.ts';
import type { RpcReplica } from '../../rpc/rpc-replica.ts';
import { getOrInsert } from '../../util/get-or-insert.ts';
import { z } from '../../util/zod.ts';
import type { Api } from '../api.ts';
import { wantedReplicasSchema } from './cluster-routes.ts';

const LiveReplica = z.object({
  replicaId: z.number().int(),
  instance: z.string().optional().describe("The supervisor's name for it; none for a container started by hand."),
  pid: z.number().int().optional().describe("Of a process on the server's machine."),
});

const CrashLoopAnswer = z.object({
  at: z.iso.datetime(),
  deaths: z.number().int(),
  how: z.string(),
  log: z.array(z.string()).describe('The last lines that a replica wrote.'),
});

const VersionStatus = z.object({
  version: z.string(),
  isCurrent: z.boolean(),
  inputType: z.enum(inputTypes),
  labels: z.array(z.string()),
  image: z.string(),
  replicas: z.object({
    wanted: wantedReplicasSchema.optional().describe("Left out for a version whose replicas are not this server's."),
    isStopped: z.boolean().describe('They were stopped on purpose.'),
    live: z.array(LiveReplica).describe('Those that are connected.'),
    crashLoop: CrashLoopAnswer.optional().describe('Why replicas are not started any more.'),
  }),
});

const ModelStatus = z
  .object({
    name: z.string(),
    currentVersion: z.string().optional(),
    applications: z.array(z.string()).describe('Those that are linked to it.'),
    versions: z.array(VersionStatus),
  })
  .meta({ id: 'ModelStatus' });
/** A model with its versions, and how many of their replicas are wanted and there. */
export type ModelStatus = z.output<typeof ModelStatus>;

export interface StatusServices {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly replicas: () => readonly RpcReplica[];
}

/** Models as they are wanted, and as they are. */
export function addStatusRoutes(api: Api, services: StatusServices): void {
  api.serve(
    {
      method: 'GET',
      path: '/admin/v1/models',
      name: 'modelStatus',
      tag: 'Cluster',
      summary: 'Every model with its versions, and their replicas: wanted, connected, or given up and why.',
      answers: { 200: z.array(ModelStatus), ...clusterErrors },
    },
    () => modelStatuses(services),
  );
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
