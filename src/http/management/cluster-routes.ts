import type { FastifyReply } from 'fastify';
import { clusterErrors } from '../../contract/errors.ts';
import type { Deployments } from '../../deployments/deployments.ts';
import type { ClipperError } from '../../errors.ts';
import { inputTypes } from '../../protocol/input-types.ts';
import type { Supervisor } from '../../replicas/supervisor.ts';
import { resolveOptions } from '../../util/options.ts';
import { z } from '../../util/zod.ts';
import { abandonedSignal } from '../abandoned.ts';
import type { Api } from '../api.ts';
import { parseObject } from '../query/json-inputs.ts';
import { withStatusOf } from '../query/query-errors.ts';
import { servingShape } from '../serving-schemas.ts';

const ClusterInfo = z
  .object({
    name: z.string(),
    backend: z.string(),
    pid: z.number().int(),
    storeDir: z.string().describe("Where bundles are put for its replicas, on the server's machine."),
    hostname: z.string(),
    engineId: z.string().optional().describe('The Docker engine that replicas run on, where it is one.'),
    queryPort: z.number().int(),
    rpcPort: z.number().int(),
    rpcServerKey: z.string().optional().describe('What containers must know it by, where RPC is encrypted.'),
  })
  .meta({ id: 'Cluster' });
/** What a server tells its clients of itself. */
export type ClusterInfo = Readonly<z.output<typeof ClusterInfo>>;

export interface ClusterServices {
  readonly info: ClusterInfo;
  readonly deployments: Deployments;
  readonly supervisor: Supervisor;
  readonly stop: () => void;
}

/** What one machine may be asked for by mistake, but not more. */
export const maxReplicas = 1_000;

const count = z.number().int().nonnegative().max(maxReplicas);
const range = z
  .strictObject({
    min: count.default(1),
    max: count.positive(),
    targetUtilization: z.number().gt(0).lte(1).default(0.7).describe('The share of their time that replicas are to be at work.'),
    scaleDownAfterMs: z
      .number()
      .positive()
      .default(60_000)
      .describe('Replicas are stopped when fewer would have done for so long.'),
  })
  .refine(({ min, max }) => min <= max, 'min must not be more than max');
/** So many replicas, or as many as the load asks for. */
export const wantedReplicasSchema = z.union([count, range], 'must be a whole number, or { min, max }');

/** What replicas may use and reach, where they are containers. */
export const resourcesSchema = z.strictObject({
  memoryMiB: z.number().positive().optional().describe('A replica that takes more is ended.'),
  cpus: z.number().positive().optional().describe("Processors' worth of time."),
  gpus: z.union([z.number().int().positive(), z.literal('all')], "must be a whole number, or 'all'").optional(),
});
/** Environment variables, as any system takes them. */
export const envSchema = z.record(
  z.string().regex(/^[^=\s\0]+$/, 'a name must have no "=" and no space in it'),
  z.string().regex(/^[^\0]*$/, 'must have no NUL'),
);
export const networkSchema = z.enum(['cluster', 'none']);

const DeployBody = z.strictObject({
  name: z.string(),
  version: z.string().optional(),
  inputType: z.enum(inputTypes),
  labels: z.array(z.string()),
  ...servingShape,
  replicas: wantedReplicasSchema,
  env: envSchema,
  resources: resourcesSchema,
  network: networkSchema,
  digest: z.string().optional(),
  // It becomes a part of the path that the engine is asked at.
  image: z
    .string()
    .regex(/^(?!.*\.\.)[\w./:@+[\]-]{1,500}$/, "must be an image's name")
    .optional(),
  current: z.boolean().default(true),
  sampleBase64: z.base64().optional(),
});
export type DeployBody = z.input<typeof DeployBody>;

const NameBody = z.strictObject({ name: z.string() });
const ReplicasBody = z.strictObject({
  name: z.string(),
  version: z.string(),
  replicas: wantedReplicasSchema,
});
const StopBody = z.strictObject({
  models: z.array(z.strictObject({ name: z.string(), version: z.string() })).default([]),
  inactiveOf: z.array(z.string()).default([]).describe('Models of which all versions are stopped but the current one.'),
});
const Deployed = z.object({
  version: z.string(),
  digest: z.string().describe("Of the bundle; of the image where that is the user's own."),
});
const nothing = z.strictObject({});
const tag = 'Cluster';

/** Our additions to the management REST: deploys and replicas. Errors are JSON with a code. */
export function addClusterRoutes(api: Api, services: ClusterServices): void {
  addServerRoutes(api, services);
  addDeployRoutes(api, services.deployments);
  addReplicaRoutes(api, services);
}

interface ClusterEndpoint<B extends z.ZodType, A> {
  readonly path: string;
  readonly summary: string;
  readonly body: B;
  readonly gives: z.ZodType<A>;
  /** `abandoned` aborts when the client goes away before its answer. */
  readonly answer: (body: Readonly<z.output<B>>, abandoned: AbortSignal) => A | Promise<A>;
}

/** Adds `POST /admin/v1/<path>`, whose body is checked by its schema. */
export function post<B extends z.ZodType, A>(api: Api, name: string, endpoint: ClusterEndpoint<B, A>): void {
  const { path, summary, body, gives, answer } = endpoint;
  const described = { method: 'POST', path: `/admin/v1/${path}`, name, tag, summary, body } as const;
  api.serve({ ...described, answers: { 200: gives, ...clusterErrors } }, (request, reply) =>
    answer(resolveOptions(body, parseObject(request.body), name), abandonedSignal(reply)),
  );
}

function addServerRoutes(api: Api, { info, stop }: ClusterServices): void {
  const path = '/admin/v1/cluster';
  const answers = { 200: ClusterInfo, ...clusterErrors };
  api.serve({ method: 'GET', path, name: 'cluster', tag, summary: 'What the cluster is.', answers }, () => info);
  api.serve(
    {
      method: 'POST',
      path: '/admin/v1/shutdown',
      name: 'shutdown',
      tag,
      summary: 'Ends the server, and its replicas with it.',
      answers: { 200: nothing, ...clusterErrors },
    },
    (_request, reply) => {
      reply.raw.once('finish', stop);
      return reply.send({});
    },
  );
}

function addDeployRoutes(api: Api, deployments: Deployments): void {
  post(api, 'deploy', {
    path: 'deploy',
    summary: 'Starts replicas of a bundle or image as a new model version, current once they answer.',
    body: DeployBody,
    gives: Deployed,
    answer: ({ sampleBase64, ...body }, abandoned) => {
      const sample = sampleBase64 === undefined ? undefined : Buffer.from(sampleBase64, 'base64');
      return deployments.deploy({ ...body, sample }, abandoned);
    },
  });
  post(api, 'nextVersion', {
    path: 'next-version',
    summary: 'The next free version of a model.',
    body: NameBody,
    gives: z.object({ version: z.string() }),
    answer: ({ name }) => ({ version: deployments.nextVersion(name) }),
  });
}

function addReplicaRoutes(api: Api, { deployments }: ClusterServices): void {
  post(api, 'setNumReplicas', {
    path: 'replicas',
    summary: 'Keeps so many replicas of a model version from now on.',
    body: ReplicasBody,
    gives: nothing,
    answer: async ({ name, version, replicas }, abandoned) => {
      await deployments.setReplicas(name, version, replicas, abandoned);
      return {};
    },
  });
  post(api, 'stopModels', {
    path: 'stop',
    summary: 'Stops the replicas of model versions.',
    body: StopBody,
    gives: nothing,
    answer: async ({ models, inactiveOf }) => {
      await Promise.all([
        ...models.map(({ name, version }) => deployments.stop(name, version)),
        ...inactiveOf.map((name) => deployments.stopInactive(name)),
      ]);
      return {};
    },
  });
}

/** Errors of our own endpoints: a client throws them again as they were. */
export const sendClusterError = (error: ClipperError, reply: FastifyReply): FastifyReply =>
  withStatusOf(error, reply).send({ code: error.code, message: error.message });
