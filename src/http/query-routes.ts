import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Registry } from '../control/registry.ts';
import type { Application } from '../control/state-store.ts';
import { ClipperError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { Feedback, StoredFeedback } from '../serving/feedback.ts';
import type { Answer, QueryFrontend } from '../serving/query-frontend.ts';
import { printShort } from '../util/print.ts';
import { inputBytes, parseObject } from './json-inputs.ts';
import { isRaw, maxBatchInputs, type RawQuery, rawInputs } from './raw-inputs.ts';

type ForApplication = FastifyRequest<{ Params: { application: string }; Querystring: RawQuery }>;

export interface QueryServices {
  readonly registry: Registry;
  readonly frontend: QueryFrontend;
  readonly metrics: Metrics;
  readonly feedback: Feedback;
}

/** Clipper's query REST: predictions, feedback and metrics. */
export function addQueryRoutes(server: FastifyInstance, { registry, frontend, metrics, feedback }: QueryServices): void {
  server.post('/:application/predict', async (request: ForApplication, reply) => {
    const application = registry.knownApplication(request.params.application);
    const { inputs, version } = readQuery(application, request);
    const answers = await frontend.query(application, inputs, version);
    return reply.type('application/json; charset=utf-8').send(printAnswers(answers));
  });
  server.post('/:application/update', async (request: ForApplication, reply) => {
    const application = registry.knownApplication(request.params.application);
    const given = readFeedback(parseObject(request.body));
    await feedback.receive(application, given, inputBytes(application.inputType, given.input));
    return reply.type('text/plain; charset=utf-8').send('Feedback received? 1');
  });
  server.get('/metrics', (request, reply) => sendMetrics(metrics, request, reply));
}

/** Prometheus text, or JSON for clients that ask for it. */
export async function sendMetrics(metrics: Metrics, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  if (request.headers.accept?.includes('application/json') === true) return reply.send(await metrics.json());
  return reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics.text());
}

/** Errors of the query REST as Clipper words them, with our code beside. */
export function sendQueryError(error: ClipperError, reply: FastifyReply): FastifyReply {
  const title = error.code === 'E_MALFORMED_JSON' ? 'Json error' : error.status === 404 ? 'Not found' : 'Query processing error';
  return reply.code(error.status).send({ error: title, cause: error.message, code: error.code });
}

function readQuery(
  application: Application,
  { headers, query, body }: ForApplication,
): { inputs: readonly Uint8Array[]; version: string | undefined } {
  const mediaType = headers['content-type'];
  if (isRaw(mediaType)) return { inputs: rawInputs(application.inputType, { mediaType, query, body }), version: query.version };
  const { input, input_batch: batch, version } = parseObject(body);
  if (version !== undefined && typeof version !== 'string' && typeof version !== 'number') {
    throw new ClipperError('E_INVALID_INPUT', `"version" must be a string or a number, got ${printShort(version)}`);
  }
  const type = application.inputType;
  const wanted = version === undefined ? undefined : String(version);
  if (input !== undefined) return { inputs: [inputBytes(type, input)], version: wanted };
  if (Array.isArray(batch) && batch.length > maxBatchInputs) {
    const message = `An "input_batch" may hold ${maxBatchInputs} inputs at most, got ${batch.length}: send several`;
    throw new ClipperError('E_INVALID_INPUT', message);
  }
  if (Array.isArray(batch)) return { inputs: batch.map((each) => inputBytes(type, each)), version: wanted };
  const got = batch === undefined ? 'neither' : `"input_batch": ${printShort(batch)}`;
  throw new ClipperError('E_INVALID_INPUT', `Expected "input", or "input_batch" with an array of inputs, got ${got}`);
}

function readFeedback({ uid, input, label }: Record<string, unknown>): Omit<StoredFeedback, 'time'> {
  // A number like 1e999 is read as an infinite one, which could not be written down.
  const isInfinite = (value: unknown): boolean => Math.abs(value as number) === Number.POSITIVE_INFINITY;
  if (typeof uid !== 'number' || typeof label !== 'number' || [uid, label, input].flat().some(isInfinite)) {
    throw new ClipperError('E_INVALID_INPUT', 'Feedback must hold the numbers "uid" and "label", and "input", all finite');
  }
  return { uid, input, label };
}

/** A batch of one is answered like a single input. */
function printAnswers(answers: readonly Answer[]): string {
  const [first] = answers;
  if (first !== undefined && answers.length === 1) return printAnswer(first);
  return `{"batch_predictions":[${answers.map(printAnswer).join(',')}]}`;
}

function printAnswer({ queryId, output, fallback }: Answer): string {
  const head = `{"query_id":${queryId},"output":${asJson(output)},"default":${fallback !== undefined}`;
  if (fallback === undefined) return `${head}}`;
  return `${head},"default_explanation":${JSON.stringify(fallback.explanation)},"default_reason":"${fallback.reason}"}`;
}

/** An output is a string on the wire; one that is JSON stands for what it says. */
function asJson(output: string): string {
  try {
    JSON.parse(output);
    return output;
  } catch {
    return JSON.stringify(output);
  }
}
