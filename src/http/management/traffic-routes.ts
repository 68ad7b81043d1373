import { getTraffic, type LatencyReport, setTraffic, type TrafficBody, type TrafficReport } from '../../contract/traffic.ts';
import type { EventLog } from '../../control/event-log.ts';
import type { Registry } from '../../control/registry.ts';
import type { Traffic } from '../../control/state-store.ts';
import { ClipperError } from '../../errors.ts';
import type { Recorder } from '../../metrics/recorder.ts';
import type { TrafficSplitter, TrafficStats } from '../../serving/traffic.ts';
import type { Api } from '../api.ts';
import { serveCall, serveRead } from './serve-call.ts';

export interface TrafficServices {
  readonly registry: Registry;
  readonly events: EventLog;
  readonly frontend: { readonly splitter: TrafficSplitter };
}

/** Splits of a model's queries between its versions. */
export function addTrafficRoutes(api: Api, { registry, events, frontend }: TrafficServices): void {
  serveCall(api, setTraffic, async (body) => {
    const traffic = trafficOf(registry, body);
    await registry.setTraffic(body.name, traffic);
    events.add({ kind: 'traffic', model: body.name, message: describeTraffic(body.name, traffic) });
    return {};
  });
  serveRead(api, getTraffic, () => registry.traffics.map((traffic) => report(traffic, frontend.splitter.statsOf(traffic))));
}

/** Throws E_INVALID_OPTION. */
function trafficOf(registry: Registry, { name, weights, shadow, rule }: TrafficBody): Traffic | undefined {
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

function latencyOf(recorder: Recorder): LatencyReport {
  const { mean, quantile } = recorder.summary();
  return { meanMicros: Math.round(mean), p50Micros: Math.round(quantile(0.5)), p99Micros: Math.round(quantile(0.99)) };
}
