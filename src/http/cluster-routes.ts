import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Deployments } from '../backends/deployments.ts';
import type { Supervisor } from '../backends/supervisor.ts';
import type { ClipperError } from '../errors.ts';
import { inputTypes } from '../protocol/input-types.ts';
import { resolveOptions } from '../util/options.ts';
import { parseObject } from './json-inputs.ts';

/** What a server tells its clients of itself. */
export interface ClusterInfo {
  readonly name: string;
  readonly backend: string;
  readonly pid: number;
  /** Where bundles are put for its replicas, on the server's machine. */
  readonly storeDir: string;
  readonly hostname: string;
  /** The Docker engine that replicas run on, where it is one. */
  readonly engineId?: string;
  readonly queryPort: number;
  readonly rpcPort: number;
}

export interface ClusterServices {
  readonly info: ClusterInfo;
  readonly deployments: Deployments;
  readonly supervisor: Supervisor;
  readonly stop: () => void;
}

/** What one machine may be asked for by mistake, but not more. */
export const maxReplicas = 1_000;

/** What replicas may use and reach, where they are containers. */
export const resourcesSchema = z.strictObject({
  memoryMiB: z.number().positive().optional().describe('A replica that takes more is ended.'),
  cpus: z.number().positive().optional().describe("Processors' worth of time."),
  gpus: z.union([z.number().int().positive(), z.literal('all')]).optional(),
});
export const networkSchema = z.enum(['cluster', 'none']);

const DeployBody = z.strictObject({
  name: z.string(),
  version: z.string().optional(),
  inputType: z.enum(inputTypes),
  labels: z.array(z.string()),
  batchSize: z.number().int(),
  replicas: z.number().int().positive().max(maxReplicas),
  env: z.record(z.string(), z.string()),
  resources: resourcesSchema,
  network: networkSchema,
  digest: z.string().optional(),
  image: z.string().optional(),
  sampleBase64: z.base64().optional(),
});
export type DeployBody = z.input<typeof DeployBody>;

const NameBody = z.strictObject({ name: z.string() });
const ReplicasBody = z.strictObject({
  name: z.string(),
  version: z.string(),
  replicas: z.number().int().nonnegative().max(maxReplicas),
});
const StopBody = z.strictObject({ models: z.array(z.strictObject({ name: z.string(), version: z.string() })) });
const LogsBody = z.strictObject({
  name: z.string().optional(),
  version: z.string().optional(),
  tailLines: z.number().int().positive().max(100_000),
});

/** Our additions to the management REST: deploys, replicas, logs. Errors are JSON with a code. */
export function addClusterRoutes(server: FastifyInstance, { info, deployments, supervisor, stop }: ClusterServices): void {
  server.get('/admin/v1/cluster', () => info);
  server.post('/admin/v1/deploy', async (request, reply) => {
    const { sampleBase64, ...body } = resolveOptions(DeployBody, parseObject(request.body), 'the deploy');
    const sample = sampleBase64 === undefined ? undefined : Buffer.from(sampleBase64, 'base64');
    return deployments.deploy({ ...body, sample }, abandonedSignal(reply));
  });
  server.post('/admin/v1/next-version', (request) => {
    const { name } = resolveOptions(NameBody, parseObject(request.body), 'the deploy');
    return { version: deployments.nextVersion(name) };
  });
  server.post('/admin/v1/replicas', async (request, reply) => {
    const { name, version, replicas } = resolveOptions(ReplicasBody, parseObject(request.body), 'setNumReplicas');
    await deployments.setReplicas(name, version, replicas, abandonedSignal(reply));
    return {};
  });
  server.post('/admin/v1/stop', async (request) => {
    const { models } = resolveOptions(StopBody, parseObject(request.body), 'stopModels');
    await Promise.all(models.map(({ name, version }) => deployments.stop(name, version)));
    return {};
  });
  server.post('/admin/v1/logs', (request) => supervisor.logs(resolveOptions(LogsBody, parseObject(request.body), 'getLogs')));
  server.post('/admin/v1/shutdown', (_request, reply) => {
    reply.raw.once('finish', stop);
    return reply.send({});
  });
}

/** Errors of our own endpoints: a client throws them again as they were. */
export const sendClusterError = (error: ClipperError, reply: FastifyReply): FastifyReply =>
  reply.code(error.status).send({ code: error.code, message: error.message });

/** Aborts when the client goes away before its answer: work that nobody waits for is taken back. */
function abandonedSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
