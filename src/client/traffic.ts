import {
  getTraffic as getTrafficRead,
  ruleSchema,
  setTraffic as setTrafficCall,
  type TrafficReport,
  weightsSchema,
} from '../contract/traffic.ts';
import { resolveOptions } from '../util/options.ts';
import { z } from '../util/zod.ts';
import type { RestClient } from './rest-client.ts';

const version = z.union([z.string(), z.number()]).transform(String);

const TrafficOptions = z.strictObject({
  shadow: version.optional().describe('A version that computes copies of the queries; its outputs are compared, never answered.'),
  rule: ruleSchema.optional().describe('When the version beside the current one takes its place, or is given up.'),
});
/** A shadow, and when a split ends by itself. */
export type TrafficOptions = z.input<typeof TrafficOptions>;

/** Shares of a model's queries by version, in proportion to their sum: `{ '1': 0.9, '2': 0.1 }`. */
export type TrafficWeights = Readonly<Record<string, number>>;

/** Throws E_INVALID_OPTION, E_UNKNOWN_MODEL, E_INPUT_TYPE_MISMATCH. */
export async function setTraffic(
  management: RestClient,
  name: string,
  { weights, options }: { readonly weights: TrafficWeights | undefined; readonly options: TrafficOptions },
): Promise<void> {
  const { shadow, rule } = resolveOptions(TrafficOptions, options, 'setTraffic');
  const checked = weights === undefined ? undefined : resolveOptions(weightsSchema, weights, 'setTraffic');
  await management.call(setTrafficCall, { name, weights: checked, shadow, rule });
}

/** How a model's queries are split; undefined if they all go to the current version. */
export async function getTraffic(management: RestClient, name: string): Promise<TrafficReport | undefined> {
  const all = await management.read(getTrafficRead);
  return all.find((report) => report.name === name);
}
