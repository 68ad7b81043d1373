import { QueryError, refusals } from '../../contract/errors.ts';
import { inputSchemas } from '../../contract/json-input.ts';
import { FailedQuery, Predictions } from '../../contract/queries.ts';
import type { Application } from '../../control/state-store.ts';
import { inputMediaType, inputsMediaType } from '../../protocol/input-batch.ts';
import { type InputType, inputTypes } from '../../protocol/input-types.ts';
import { z } from '../../util/zod.ts';
import type { ApiEndpoint } from '../openapi.ts';

/** Keeps one request from delaying others by more than a few milliseconds. */
export const maxBatchInputs = 10_000;

const anyInput = z.union([z.array(z.number()), z.string()]).describe("As the application's input type says.");
const version = z.union([z.string(), z.number()]).optional().describe('Default: the current version of the linked model.');

const key = z.string().optional().describe('Queries with the same key go to the same version, if traffic is split.');

function bodiesOf(input: z.ZodType, name: string): { readonly predict: z.ZodType; readonly update: z.ZodType } {
  const batch = z.array(input).max(maxBatchInputs);
  return {
    predict: z
      .union([z.object({ input, version, key }), z.object({ input: z.never().optional(), input_batch: batch, version, key })])
      .meta({ id: `Query${name}` }),
    update: z.object({ uid: z.number(), input, label: z.number() }).meta({ id: `Feedback${name}` }),
  };
}

const typedBodies = Object.fromEntries(
  inputTypes.map((type) => [type, bodiesOf(inputSchemas[type], `Of${type[0]?.toUpperCase()}${type.slice(1)}`)]),
) as Record<InputType, ReturnType<typeof bodiesOf>>;
const anyBodies = bodiesOf(anyInput, '');

/** Bodies of `predict` and `update`, by input type. */
export const predictBody = (type: InputType): z.ZodType => typedBodies[type].predict;
export const updateBody = (type: InputType): z.ZodType => typedBodies[type].update;

const errors = { 400: QueryError, 401: QueryError, 404: QueryError, 413: QueryError, 500: QueryError };

const figures = z.array(z.record(z.string(), z.record(z.string(), z.string())));
/** Answers of the metrics endpoints: Prometheus' text, or Clipper's JSON with `Accept: application/json`. */
export const metricsAnswer = {
  'text/plain': z.string(),
  'application/json': z
    .object({ counters: figures, ratio_counters: figures, meters: figures, histograms: figures })
    .meta({ id: 'ClipperMetrics' }),
};

const ofApplication = (name: string, suffix: string, bodies: ReturnType<typeof bodiesOf>): readonly ApiEndpoint[] => [
  {
    method: 'POST',
    path: `/${name}/predict`,
    name: `predict${suffix}`,
    tag: 'Queries',
    summary: 'Answers one input or a batch within the latency objective: predictions, or the default output and why.',
    query: {
      explain: z.enum(['0', '1', 'false', 'true']).optional(),
      version: z.string().optional().describe('Of raw inputs.'),
      key,
    },
    body: { 'application/json': bodies.predict, [inputMediaType]: rawInput, [inputsMediaType]: rawInput },
    asks: 'apiKey',
    answers: { 200: Predictions, ...errors },
  },
  {
    method: 'POST',
    path: `/${name}/update`,
    name: `update${suffix}`,
    tag: 'Queries',
    summary: 'Takes feedback: what the right answer to an input is.',
    body: bodies.update,
    asks: 'apiKey',
    answers: { 200: { 'text/plain': z.string() }, ...errors, ...refusals },
  },
];

const rawInput = z.string().meta({ format: 'binary' });

/** The endpoints of every application, and metrics. */
export const queryEndpoints: readonly ApiEndpoint[] = [
  ...ofApplication('{application}', '', anyBodies),
  {
    method: 'GET',
    path: '/{application}/queries',
    name: 'failedQueries',
    tag: 'Queries',
    summary: 'The latest queries that were given the default output, the last one first.',
    asks: 'apiKey',
    answers: { 200: z.array(FailedQuery), ...errors },
  },
  {
    method: 'GET',
    path: '/{application}/queries/{id}',
    name: 'failedQuery',
    tag: 'Queries',
    summary: 'What became of a query that was given the default output.',
    asks: 'apiKey',
    answers: { 200: FailedQuery, ...errors },
  },
  {
    method: 'GET',
    path: '/metrics',
    name: 'metrics',
    tag: 'Server',
    summary: 'What the server counts.',
    answers: { 200: metricsAnswer },
  },
];

/** The endpoints of one application, with its input type. */
export const applicationEndpoints = ({ name, inputType }: Application): readonly ApiEndpoint[] =>
  ofApplication(name, `_${name}`, typedBodies[inputType]);
