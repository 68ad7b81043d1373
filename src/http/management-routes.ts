import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { modelKey } from '../control/names.ts';
import type { Registry } from '../control/registry.ts';
import type { Application, ModelVersion } from '../control/state-store.ts';
import { ClipperError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import { parseInputType } from '../protocol/input-types.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import type { Feedback } from '../serving/feedback.ts';
import { parseObject } from './json-inputs.ts';
import { sendMetrics, sendQueryError } from './query-routes.ts';

export interface ManagementServices {
  readonly registry: Registry;
  readonly metrics: Metrics;
  readonly feedback: Feedback;
  readonly replicas: () => readonly RpcReplica[];
}

const version = z.union([z.string(), z.number()]).transform(String);
const modelVersion = { model_name: z.string(), model_version: version };
const verbose = z.object({ verbose: z.boolean().default(false) });
const links = z.object({ app_name: z.string(), model_names: z.array(z.string()) });

/** Clipper's management REST. Success is a text or JSON with status 200, a refusal its reason with status 400. */
export function addManagementRoutes(server: FastifyInstance, services: ManagementServices): void {
  addApplicationRoutes(server, services);
  addLinkRoutes(server, services);
  addModelRoutes(server, services);
  addReplicaRoutes(server, services);
  server.get('/admin/ping', (_request, reply) => reply.type('text/plain; charset=utf-8').send('PONG'));
  server.get('/admin/metrics', (request, reply) => sendMetrics(services.metrics, request, reply));
}

/** Refusals as Clipper gives them: always 400, with the reason as text. */
export function sendManagementError(error: ClipperError, reply: FastifyReply): FastifyReply {
  if (error.code === 'E_UNKNOWN_PATH') return sendQueryError(error, reply);
  const status = error.status >= 500 ? error.status : 400;
  return reply.code(status).type('text/plain; charset=utf-8').send(error.message);
}

/** Adds a POST endpoint whose body is checked against a schema; a string answers as text, anything else as JSON. */
function post<S extends z.ZodType>(
  server: FastifyInstance,
  path: string,
  { body, answer }: { readonly body: S; readonly answer: (body: z.output<S>) => unknown },
): void {
  server.post(`/admin/${path}`, async (request, reply) => {
    const checked = body.safeParse(parseObject(request.body));
    if (!checked.success) {
      const why = checked.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
      const schema = JSON.stringify(z.toJSONSchema(body, { io: 'input' }));
      throw new ClipperError('E_MALFORMED_JSON', `Error parsing JSON: ${why}. Expected JSON schema: ${schema}`);
    }
    const answered = await answer(checked.data);
    if (typeof answered === 'string') return reply.type('text/plain; charset=utf-8').send(answered);
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(answered));
  });
}

function addApplicationRoutes(server: FastifyInstance, { registry, feedback }: ManagementServices): void {
  post(server, 'add_app', {
    body: z.object({
      name: z.string(),
      input_type: z.string(),
      default_output: z.string(),
      latency_slo_micros: z.number().int().positive(),
    }),
    answer: async ({ name, input_type, default_output, latency_slo_micros }) => {
      const inputType = parseInputType(input_type);
      await registry.addApplication({ name, inputType, defaultOutput: default_output, latencySloMicros: latency_slo_micros });
      return `Successfully added application with name '${name}'`;
    },
  });
  post(server, 'delete_app', {
    body: z.object({ name: z.string() }),
    answer: async ({ name }) => {
      await registry.deleteApplication(name);
      await feedback.forget(name);
      return `Successfully deleted application with name '${name}'`;
    },
  });
  const describe = ({ name, inputType, defaultOutput, latencySloMicros }: Application): object => ({
    name,
    input_type: inputType,
    default_output: defaultOutput,
    latency_slo_micros: latencySloMicros,
    linked_models: registry.linkedModels(name),
  });
  post(server, 'get_all_applications', {
    body: verbose,
    answer: (body) => registry.applications.map((each) => (body.verbose ? describe(each) : each.name)),
  });
  post(server, 'get_application', {
    body: z.object({ name: z.string() }),
    answer: ({ name }) => {
      const application = registry.application(name);
      return application === undefined ? {} : describe(application);
    },
  });
  post(server, 'get_state', {
    body: z.object({ app_name: z.string(), uid: z.number() }),
    answer: ({ app_name }) => registry.knownApplication(app_name).defaultOutput,
  });
}

function addLinkRoutes(server: FastifyInstance, { registry }: ManagementServices): void {
  const only = (names: readonly string[]): string => {
    const [name] = names;
    if (name !== undefined && names.length === 1) return name;
    throw new ClipperError('E_LINK_REFUSED', `Expected exactly one model name, got ${names.length}`);
  };
  post(server, 'add_model_links', {
    body: links,
    answer: async ({ app_name, model_names }) => {
      const model = only(model_names);
      await registry.linkModel(app_name, model);
      return `Successfully linked model with name '${model}' to application '${app_name}'`;
    },
  });
  post(server, 'delete_model_links', {
    body: links,
    answer: async ({ app_name, model_names }) => {
      await registry.unlinkModel(app_name, only(model_names));
      return 'Success!';
    },
  });
  post(server, 'get_linked_models', {
    body: z.object({ app_name: z.string() }),
    answer: ({ app_name }) => registry.linkedModels(registry.knownApplication(app_name).name),
  });
}

function addModelRoutes(server: FastifyInstance, { registry }: ManagementServices): void {
  post(server, 'add_model', {
    body: z.object({
      ...modelVersion,
      input_type: z.string(),
      labels: z.array(z.string()).default([]),
      container_name: z.string().default(''),
      model_data_path: z.string().default(''),
      batch_size: z
        .number()
        .int()
        .refine((size) => size === -1 || size > 0, 'must be -1 (adaptive) or greater than 0'),
    }),
    answer: async (body) => {
      const { model_name: name, model_version, labels, container_name, model_data_path, batch_size } = body;
      const inputType = parseInputType(body.input_type);
      const rest = { containerName: container_name, modelDataPath: model_data_path, batchSize: batch_size };
      await registry.addModel({ name, version: model_version, inputType, labels, ...rest });
      await registry.setCurrentVersion(name, model_version);
      return `Successfully added model with name '${name}' and input type '${inputType}'`;
    },
  });
  post(server, 'delete_versioned_model', {
    body: z.object(modelVersion),
    answer: async ({ model_name, model_version }) => {
      await registry.deleteModel(model_name, model_version);
      return `Successfully deleted model with name '${model_name}' and version '${model_version}'`;
    },
  });
  post(server, 'set_model_version', {
    body: z.object(modelVersion),
    answer: async ({ model_name, model_version }) => {
      await registry.setCurrentVersion(model_name, model_version);
      return `Successfully set model with name '${model_name}' to version '${model_version}'`;
    },
  });
  const describe = (model: ModelVersion): object => ({
    model_name: model.name,
    model_version: model.version,
    input_type: model.inputType,
    labels: model.labels,
    container_name: model.containerName,
    model_data_path: model.modelDataPath,
    batch_size: model.batchSize,
    is_current_version: registry.currentVersion(model.name) === model.version,
  });
  post(server, 'get_all_models', {
    body: verbose,
    answer: (body) => registry.models.map((each) => (body.verbose ? describe(each) : modelKey(each.name, each.version))),
  });
  post(server, 'get_model', {
    body: z.object(modelVersion),
    answer: ({ model_name, model_version }) => {
      const model = registry.model(model_name, model_version);
      return model === undefined ? {} : describe(model);
    },
  });
}

function addReplicaRoutes(server: FastifyInstance, { replicas }: ManagementServices): void {
  const describe = ({ model, modelName, modelVersion: modelVersionName, replicaId, inputType }: RpcReplica): object => ({
    model_id: model,
    model_name: modelName,
    model_version: modelVersionName,
    model_replica_id: replicaId,
    input_type: inputType,
  });
  post(server, 'get_all_containers', {
    body: verbose,
    answer: (body) => replicas().map((each) => (body.verbose ? describe(each) : `${each.model}:${each.replicaId}`)),
  });
  post(server, 'get_container', {
    body: z.object({ ...modelVersion, replica_id: z.number().int() }),
    answer: ({ model_name, model_version, replica_id }) => {
      const key = modelKey(model_name, model_version);
      const replica = replicas().find((each) => each.model === key && each.replicaId === replica_id);
      return replica === undefined ? {} : describe(replica);
    },
  });
}
