import { clusterErrors } from '../../contract/errors.ts';
import type { EventLog } from '../../control/event-log.ts';
import type { Registry } from '../../control/registry.ts';
import type { Traffic } from '../../control/state-store.ts';
import { ClipperError } from '../../errors.ts';
import type { Recorder } from '../../metrics/recorder.ts';
import type { TrafficSplitter, TrafficStats } from '../../serving/traffic.ts';
import { z } from '../../util/zod.ts';
import type { Api } from '../api.ts';
import { post } from './cluster-routes.ts';

/** When the version beside the current one is promoted, or given up. */
export const ruleSchema = z.strictObject({
  minQueries: z.number().int().positive().default(100).describe('Nothing is decided before it answered so many.'),
  maxErrorRate: z.number().min(0).max(1).default(0.05).describe('Given up when more of its queries get the default output.'),
  maxP99Micros: z.number().positive().optional().describe('Given up when its p99 latency is above this.'),
  maxP99Ratio: z.number().positive().optional().describe("Given up when its p99 latency is so many times the current version's."),
  holdMs: z.number().nonnegative().default(60_000).describe('Promoted when it did well for so long.'),
});
export const weightsSchema = z
  .record(z.string(), z.number().nonnegative())
  .refine((weights) => Object.values(weights).some((weight) => weight > 0), 'must give at least one version a share above 0');

const TrafficBody = z.strictObject({
  name: z.string(),
  weights: weightsSchema.optional().describe('Shares by version, in proportion to their sum. Left out: all to the current one.'),
  shadow: z.string().optional().describe('A version that computes copies, whose outputs are only compared.'),
  rule: ruleSchema.optional(),
});

const Latency = z.object({ meanMicros: z.number(), p50Micros: z.number(), p99Micros: z.number() });
const TrafficReport = z
  .object({
    name: z.string(),
    weights: z.record(z.string(), z.number()),
    shadow: z.string().optional(),
    rule: ruleSchema.optional(),
    sinceMs: z.number().describe('How long traffic has been split this way, by this server.'),
    versions: z.array(
      z.object({
        version: z.string(),
        queries: z.number().int().describe('Answered, but for those from the cache.'),
        failures: z.number().int().describe('Given the default output.'),
        latency: Latency,
      }),
    ),
    comparison: z
      .object({
        compared: z.number().int(),
        different: z.number().int(),
        failures: z.number().int().describe('Queries on which the shadow failed.'),
        dropped: z.number().int().describe('Not computed: the shadow had no replica, or too much to do.'),
        meanAbsoluteDifference: z.number().optional().describe('Of outputs that are both numbers.'),
        latency: Latency,
        differences: z.array(z.object({ queryId: z.number(), output: z.string(), shadowOutput: z.string() })),
      })
      .optional(),
  })
  .meta({ id: 'Traffic' });
/** How a model's queries are split, and what came of it. */
export type TrafficReport = z.output<typeof TrafficReport>;

export interface TrafficServices {
  readonly registry: Registry;
  readonly events: EventLog;
  readonly frontend: { readonly splitter: TrafficSplitter };
}

/** The splitting of a model's queries between its versions. */
export function addTrafficRoutes(api: Api, { registry, events, frontend }: TrafficServices): void {
  post(api, 'setTraffic', {
    path: 'traffic',
    summary: "Splits a model's queries between versions, has another compute copies, or takes that back.",
    body: TrafficBody,
    gives: z.strictObject({}),
    answer: async (body) => {
      const traffic = trafficOf(registry, body);
      await registry.setTraffic(body.name, traffic);
      events.add({ kind: 'traffic', model: body.name, message: describeTraffic(body.name, traffic) });
      return {};
    },
  });
  api.serve(
    {
      method: 'GET',
      path: '/admin/v1/traffic',
      name: 'traffic',
      tag: 'Cluster',
      summary: 'The models whose queries are split, and what came of it.',
      answers: { 200: z.array(TrafficReport), ...clusterErrors },
    },
    () => registry.traffics.map((traffic) => report(traffic, frontend.splitter.statsOf(traffic))),
  );
}

/** Throws E_INVALID_OPTION. */
function trafficOf(registry: Registry, { name, weights, shadow, rule }: z.output<typeof TrafficBody>): Traffic | undefined {
  if (weights === undefined && shadow === undefined && rule === undefined) return undefined;
  const current = registry.currentVersion(name);
  const split = weights ?? (current === undefined ? {} : { [current]: 1 });
  const beside = Object.keys(split).filter((version) => version !== current);
  if (rule !== undefined && beside.length !== 1) {
    const message = `A rule needs exactly one version beside the current one (${current}), got ${beside.join(', ') || 'none'}`;
    throw new ClipperError('E_INVALID_OPTION', message);
  }
  if (shadow !== undefined && split[shadow] !== undefined) {
    throw new ClipperError('E_INVALID_OPTION', `Version ${shadow} can't be the shadow and answer queries too`);
  }
  return { model: name, weights: split, ...(shadow === undefined ? {} : { shadow }), ...(rule === undefined ? {} : { rule }) };
}

function describeTraffic(name: string, traffic: Traffic | undefined): string {
  if (traffic === undefined) return `All queries to ${name} go to its current version`;
  const shares = Object.entries(traffic.weights).map(([version, weight]) => `version ${version}: ${weight}`);
  const copies = traffic.shadow === undefined ? '' : `; copies go to version ${traffic.shadow}`;
  return `Queries to ${name} are split, ${shares.join(', ')}${copies}`;
}

function report({ model: name, weights, shadow, rule }: Traffic, stats: TrafficStats): TrafficReport {
  return {
    name,
    weights: { ...weights },
    ...(rule === undefined ? {} : { rule }),
    sinceMs: Math.round(performance.now() - stats.startedAt),
    versions: [...stats.versions].map(([version, { queries, failures, latency }]) => ({
      ...{ version, queries, failures },
      latency: latencyOf(latency),
    })),
    ...(shadow === undefined ? {} : { shadow, comparison: comparisonOf(stats) }),
  };
}

function comparisonOf({ shadow }: TrafficStats): NonNullable<TrafficReport['comparison']> {
  const { compared, different, failures, dropped, numbers, absoluteDifference, latency, differences } = shadow;
  const mean = numbers === 0 ? {} : { meanAbsoluteDifference: absoluteDifference / numbers };
  return { compared, different, failures, dropped, ...mean, latency: latencyOf(latency), differences: [...differences] };
}

function latencyOf(recorder: Recorder): z.output<typeof Latency> {
  const { mean, quantile } = recorder.summary();
  return { meanMicros: Math.round(mean), p50Micros: Math.round(quantile(0.5)), p99Micros: Math.round(quantile(0.99)) };
}
