import { z } from '../util/zod.ts';

/** Why a query was given the application's default output. */
export const defaultReasons = [
  'no_model_linked',
  'no_live_replica',
  'slo_queued',
  'slo_computing',
  'function_error',
  'replica_lost',
  'overloaded',
] as const;
/** Why a query was given the application's default output. */
export type DefaultReason = (typeof defaultReasons)[number];

const micros = z.number().int().describe('Microseconds since the receipt of the query.');
export const Timeline = z
  .object({
    received: z.literal(0),
    queued: micros.optional(),
    batched: micros.optional(),
    sent: micros.optional(),
    computed: micros.optional(),
    answered: micros,
    batch_size: z.number().int().optional(),
    replica: z.number().int().optional(),
    compute_micros: z.number().int().optional().describe('How long the function took for the batch.'),
    cached: z.literal(true).optional(),
    joined: z.literal(true).optional().describe('Shared the computation of an identical query.'),
  })
  .meta({ id: 'Timeline' });

export const RemoteError = z
  .object({ name: z.string(), message: z.string(), stack: z.string().optional() })
  .describe('What the function threw, with its stack in the files that it was captured from.')
  .meta({ id: 'RemoteError' });

const Explanation = z
  .object({ model: z.string().optional(), timeline: Timeline, error: RemoteError.optional() })
  .meta({ id: 'Explanation' });
const default_explanation = z.string();
const default_reason = z.enum(defaultReasons);

/** A query that was given the default output. */
export const FailedQuery = z
  .object({
    query_id: z.number().int(),
    application: z.string(),
    model: z.string().optional(),
    at: z.iso.datetime(),
    default_reason,
    default_explanation,
    error: RemoteError.optional(),
    timeline: Timeline,
  })
  .meta({ id: 'FailedQuery' });

export const Prediction = z
  .object({
    query_id: z.number().int(),
    output: z.unknown().describe('What the function returned: a string, or JSON; or the default output.'),
    default: z.boolean().describe("Whether the output is the application's default output."),
    default_explanation: default_explanation.optional(),
    default_reason: default_reason.optional(),
    explain: Explanation.optional().describe('If asked for, by `?explain=1` or the header `clipper-explain: 1`.'),
  })
  .meta({ id: 'Prediction' });
export const Predictions = z
  .union([Prediction, z.object({ batch_predictions: z.array(Prediction) })])
  .meta({ id: 'Predictions' });

/** One line of the feedback that is kept of an application. */
export const FeedbackLine = z.object({
  time: z.iso.datetime(),
  uid: z.number(),
  input: z.unknown(),
  label: z.number(),
});
