import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Registry } from '../../control/registry.ts';
import type { Application } from '../../control/state-store.ts';
import { ClipperError } from '../../errors.ts';
import type { RpcReplica } from '../../rpc/rpc-replica.ts';
import type { QueryFrontend } from '../../serving/query-frontend.ts';
import { packageVersion } from '../../util/package-files.ts';
import { z } from '../../util/zod.ts';
import type { Api } from '../api.ts';
import { withKey } from '../api-keys.ts';
import type { Content } from '../openapi.ts';
import { withStatusOf } from '../query/query-errors.ts';
import { datatypeOf } from './datatypes.ts';
import { headerLengthHeader, printInference, readInference } from './inference-body.ts';
import { tensorInputs } from './tensor-inputs.ts';
import * as schemas from './tensor-schemas.ts';

export interface InferenceServices {
  readonly registry: Registry;
  readonly frontend: QueryFrontend;
  readonly replicas: () => readonly RpcReplica[];
}

/** An application as the protocol's model; the linked model's version, if any is asked for. */
interface Model {
  readonly application: Application;
  readonly linked: string | undefined;
  readonly version: string | undefined;
}

type ForModel = FastifyRequest<{ Params: { model: string; version?: string } }>;

const tag = 'Open Inference Protocol';
const { InferenceError } = schemas;
const errors = { 400: InferenceError, 401: InferenceError, 404: InferenceError, 413: InferenceError, 500: InferenceError };

/** The Open Inference Protocol, version 2, with its binary tensor data: applications are its models. */
export function addInferenceRoutes(api: Api, services: InferenceServices): void {
  addServerRoutes(api);
  addModelRoutes(api, services);
  const binary = { 'application/octet-stream': z.string().meta({ format: 'binary' }) };
  forModel(api, 'POST', '/infer', {
    name: 'infer',
    summary: 'Answers a batch, given as one tensor. Tensors may also be binary data, behind the JSON.',
    headers: {
      'Inference-Header-Content-Length': z.int().nonnegative().describe('Bytes of JSON; those of tensors are behind it.'),
    },
    body: { 'application/json': schemas.InferenceRequest, ...binary },
    answers: { 200: { 'application/json': schemas.InferenceResponse, ...binary }, ...errors },
    handler: (request, reply) => infer(services, request, reply),
  });
}

/** Errors in the protocol's format. */
export const sendInferenceError = (error: ClipperError, reply: FastifyReply): FastifyReply =>
  withStatusOf(error, reply).send({ error: error.message });

function addServerRoutes(api: Api): void {
  const get = (path: string, name: string, summary: string, content: z.ZodType, answer: object): void =>
    api.serve({ method: 'GET', path, name, tag, summary, answers: { 200: content } }, () => answer);
  const metadata = { name: 'clipper-ts', version: packageVersion(), extensions: ['binary_tensor_data'] };
  get('/v2', 'serverMetadata', 'What the server is.', schemas.ServerMetadata, metadata);
  get('/v2/health/live', 'serverLive', 'Whether the server is up.', z.object({ live: z.boolean() }), { live: true });
  // The protocol's text has `live` here as well; servers and clients have `ready`.
  const Ready = z.object({ live: z.boolean(), ready: z.boolean() });
  get('/v2/health/ready', 'serverReady', 'Whether the server takes queries.', Ready, { live: true, ready: true });
}

function addModelRoutes(api: Api, services: InferenceServices): void {
  forModel(api, 'GET', '', {
    name: 'modelMetadata',
    summary: 'What an application takes and answers.',
    answers: { 200: schemas.ModelMetadata, 401: InferenceError, 404: InferenceError },
    handler: (request) => describeModel(services, findModel(services, request)),
  });
  forModel(api, 'GET', '/ready', {
    name: 'modelReady',
    summary: 'Whether a replica of the linked model is connected: the current version, or the one asked for.',
    answers: { 200: schemas.ModelReady, 401: InferenceError, 404: InferenceError, 503: schemas.ModelReady },
    handler: (request, reply) => {
      const ready = isReady(services, findModel(services, request));
      return reply.code(ready ? 200 : 503).send({ name: request.params.model, ready });
    },
  });
}

interface ModelEndpoint {
  readonly name: string;
  readonly summary: string;
  readonly headers?: Readonly<Record<string, z.ZodType>>;
  readonly body?: Content;
  readonly answers: Readonly<Record<string, Content>>;
  readonly handler: (request: ForModel, reply: FastifyReply) => unknown;
}

/** An endpoint of a model, and of each of its versions. */
function forModel(api: Api, method: 'GET' | 'POST', path: string, { name, handler, ...rest }: ModelEndpoint): void {
  const ofVersion = `/v2/models/{model}/versions/{version}${path}`;
  const described = { method, tag, asks: 'apiKey', ...rest } as const;
  api.serve({ ...described, path: `/v2/models/{model}${path}`, name }, handler);
  api.serve({ ...described, path: ofVersion, name: `${name}OfVersion` }, handler);
}

/** Throws E_UNKNOWN_APPLICATION, E_UNAUTHORIZED, or E_UNKNOWN_MODEL for a version that the linked model doesn't have. */
function findModel({ registry }: InferenceServices, { params: { model, version }, headers }: ForModel): Model {
  const application = withKey(registry.knownApplication(model), headers);
  const [linked] = registry.linkedModels(model);
  if (version === undefined)
    return { application, linked, version: linked === undefined ? undefined : registry.currentVersion(linked) };
  if (linked !== undefined && registry.model(linked, version) !== undefined) return { application, linked, version };
  const what = linked === undefined ? 'no model is linked to it' : `the linked model '${linked}' has no such version`;
  throw new ClipperError('E_UNKNOWN_MODEL', `The application '${model}' has no version '${version}': ${what}`);
}

function describeModel({ registry }: InferenceServices, { application, linked }: Model): z.output<typeof schemas.ModelMetadata> {
  const { name, inputType } = application;
  const shape = inputType === 'strings' ? [-1] : [-1, -1];
  return {
    name,
    versions: linked === undefined ? [] : registry.versionsOf(linked).map(({ version }) => version),
    platform: 'clipper_container',
    inputs: [{ name: 'input', datatype: datatypeOf[inputType], shape }],
    // Every output can be given as BYTES; numeric outputs are FP64.
    outputs: [{ name: 'output', datatype: 'BYTES', shape: [-1] }],
  };
}

const isReady = ({ replicas }: InferenceServices, { application, linked, version }: Model): boolean =>
  replicas().some(
    ({ modelName, modelVersion, inputType }) =>
      modelName === linked && modelVersion === version && inputType === application.inputType,
  );

async function infer(services: InferenceServices, request: ForModel, reply: FastifyReply): Promise<FastifyReply> {
  const { application, version } = findModel(services, request);
  const headerLength = request.headers[headerLengthHeader] as string | undefined;
  const inference = readInference(request.body, headerLength);
  const inputs = tensorInputs(application.inputType, inference.tensor, inference.data);
  const answers = await services.frontend.query(application, inputs, {
    version: request.params.version,
    key: request.headers['clipper-key'] as string | undefined,
  });
  const [json, binary] = printInference(answers, { model: application.name, version, inference });
  if (binary === undefined) return reply.type('application/json; charset=utf-8').send(json);
  reply.header(headerLengthHeader, json.byteLength).type('application/octet-stream');
  return reply.send(Buffer.concat([json, binary]));
}
