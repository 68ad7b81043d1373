import { inputTypes } from '../protocol/input-types.ts';
import { z } from '../util/zod.ts';
import { backendSchema } from './backends.ts';
import { defineCall, defineRead, nothing, text } from './call.ts';
import { wantedReplicasSchema } from './deploys.ts';

const ClusterInfo = z
  .object({
    name: z.string(),
    backend: backendSchema,
    pid: z.number().int(),
    storeDir: z.string().describe("The folder of bundles for its replicas, on the server's machine."),
    hostname: z.string(),
    engineId: z.string().optional().describe('The Docker engine that its replicas run on, if they are containers.'),
    queryPort: z.number().int(),
    rpcPort: z.number().int(),
    rpcServerKey: z.string().optional().describe('The public key by which containers know the server, if RPC is encrypted.'),
  })
  .meta({ id: 'Cluster' });
/** What a server tells its clients about itself. */
export type ClusterInfo = Readonly<z.output<typeof ClusterInfo>>;

export const getCluster = defineRead({
  path: '/admin/v1/cluster',
  name: 'cluster',
  summary: 'What the cluster is.',
  gives: ClusterInfo,
});

export const shutdown = defineCall({
  path: '/admin/v1/shutdown',
  name: 'shutdown',
  summary: 'Ends the server, and its replicas with it.',
  body: nothing,
  gives: nothing,
});

export const ping = defineRead({ path: '/admin/ping', name: 'ping', summary: 'Whether the server is up.', gives: text });

const LiveReplica = z.object({
  replicaId: z.number().int(),
  instance: z.string().optional().describe("The supervisor's name for it; missing for a container started by hand."),
  pid: z.number().int().optional().describe("Of a process on the server's machine."),
});

const CrashLoop = z.object({
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
    wanted: wantedReplicasSchema.optional().describe('Missing for a version whose replicas this server does not run.'),
    isStopped: z.boolean().describe('They were stopped on purpose.'),
    live: z.array(LiveReplica).describe('The replicas that are connected.'),
    crashLoop: CrashLoop.optional().describe('Why replicas are no longer started.'),
  }),
});

const ModelStatus = z
  .object({
    name: z.string(),
    currentVersion: z.string().optional(),
    applications: z.array(z.string()).describe('The applications linked to it.'),
    versions: z.array(VersionStatus),
  })
  .meta({ id: 'ModelStatus' });
/** A model with its versions, and how many of their replicas are wanted and connected. */
export type ModelStatus = z.output<typeof ModelStatus>;

export const getModelStatus = defineRead({
  path: '/admin/v1/models',
  name: 'modelStatus',
  summary: 'Every model with its versions, and their replicas: wanted, connected, or given up and why.',
  gives: z.array(ModelStatus),
});
