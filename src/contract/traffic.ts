import { z } from '../util/zod.ts';
import { defineCall, defineRead, nothing } from './call.ts';

/** When the version beside the current one is promoted, or given up. */
export const ruleSchema = z.strictObject({
  minQueries: z.number().int().positive().default(100).describe('Nothing is decided before it answered this many.'),
  maxErrorRate: z.number().min(0).max(1).default(0.05).describe('Given up when more of its queries get the default output.'),
  maxP99Micros: z.number().positive().optional().describe('Given up when its p99 latency is above this.'),
  maxP99Ratio: z
    .number()
    .positive()
    .optional()
    .describe("Given up when its p99 latency is above the current version's times this."),
  holdMs: z.number().nonnegative().default(60_000).describe('Promoted when it did well for this long.'),
});
export type RolloutRule = Readonly<z.output<typeof ruleSchema>>;

export const weightsSchema = z
  .record(z.string(), z.number().nonnegative())
  .refine((weights) => Object.values(weights).some((weight) => weight > 0), 'must give at least one version a share above 0');

const TrafficBody = z.strictObject({
  name: z.string(),
  weights: weightsSchema.optional().describe('Shares by version, in proportion to their sum. Missing: all to the current one.'),
  shadow: z.string().optional().describe('A version that computes copies, whose outputs are only compared.'),
  rule: ruleSchema.optional(),
});
export type TrafficBody = z.output<typeof TrafficBody>;

const Latency = z.object({ meanMicros: z.number(), p50Micros: z.number(), p99Micros: z.number() });
const TrafficReport = z
  .object({
    name: z.string(),
    weights: z.record(z.string(), z.number()),
    shadow: z.string().optional(),
    rule: ruleSchema.optional(),
    sinceMs: z.number().describe('How long this server has split traffic this way.'),
    versions: z.array(
      z.object({
        version: z.string(),
        queries: z.number().int().describe('Answered, other than from the cache.'),
        failures: z.number().int().describe('Given the default output.'),
        latency: Latency,
      }),
    ),
    comparison: z
      .object({
        compared: z.number().int(),
        different: z.number().int(),
        failures: z.number().int().describe('Queries on which the shadow failed.'),
        dropped: z.number().int().describe('Not computed: the shadow had no replica, or was too busy.'),
        meanAbsoluteDifference: z.number().optional().describe('Of outputs that are both numbers.'),
        latency: Latency,
        differences: z.array(z.object({ queryId: z.number(), output: z.string(), shadowOutput: z.string() })),
      })
      .optional(),
  })
  .meta({ id: 'Traffic' });
/** How a model's queries are split, and what came of it. */
export type TrafficReport = z.output<typeof TrafficReport>;
export type LatencyReport = z.output<typeof Latency>;

export const setTraffic = defineCall({
  path: '/admin/v1/traffic',
  name: 'setTraffic',
  summary: "Splits a model's queries between versions, has another compute copies, or ends the split.",
  body: TrafficBody,
  gives: nothing,
});

export const getTraffic = defineRead({
  path: '/admin/v1/traffic',
  name: 'traffic',
  summary: 'The models whose queries are split, and what came of it.',
  gives: z.array(TrafficReport),
});
