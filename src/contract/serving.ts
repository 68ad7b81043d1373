import { isDeepStrictEqual } from 'node:util';
import { z } from '../util/zod.ts';
import { snakeKeys } from './case.ts';

/**
 * How the queries of a model version are batched and their outputs kept. A setting that is added here can be given to a
 * deploy, is kept in the state, and is shown by management.
 */
export const servingShape = {
  batchSize: z
    .union([z.literal(-1), z.number().int().positive()], 'must be -1 (adaptive) or greater than 0')
    .default(-1)
    .describe('The most inputs in a batch; -1: adaptive.'),
  batchDelayMicros: z.number().int().nonnegative().default(0).describe('How long a batch that is not full waits for more.'),
  hedge: z.boolean().default(false).describe('Also sends a batch slower than 95 of 100 to a second replica.'),
  cache: z
    .union([z.boolean(), z.strictObject({ ttlMicros: z.number().int().positive() })])
    .default(true)
    .describe('Whether outputs are kept for identical inputs, and for how long: as long as there is room, unless given.'),
};

type Shape = typeof servingShape;
export type ServingSettings = { readonly [Name in keyof Shape]: z.output<Shape[Name]> };

/** The settings as Clipper's REST spells them. */
export const wireServingShape = {
  batch_size: servingShape.batchSize,
  batch_delay_micros: servingShape.batchDelayMicros,
  hedge: servingShape.hedge,
  cache: z
    .union([z.boolean(), z.strictObject({ ttl_micros: z.number().int().positive() })])
    .default(true)
    .describe(servingShape.cache.description ?? ''),
} satisfies Record<string, z.ZodType>;
export type WireServing = { readonly [Name in keyof typeof wireServingShape]: z.output<(typeof wireServingShape)[Name]> };

export const servingNames = Object.keys(servingShape) as readonly (keyof ServingSettings)[];
export const servingDefaults: ServingSettings = z.object(servingShape).parse({});

/** The settings among other fields, with the defaults of those that are missing. */
export const servingOf = (fields: Partial<ServingSettings>): ServingSettings =>
  Object.fromEntries(servingNames.map((name) => [name, fields[name] ?? servingDefaults[name]])) as unknown as ServingSettings;

/** The names of the settings that differ from their defaults. */
export const changedServing = (fields: ServingSettings): readonly (keyof ServingSettings)[] =>
  servingNames.filter((name) => !isDeepStrictEqual(fields[name], servingDefaults[name]));

/** The settings as management shows them: Clipper's own, and of ours those that differ from their defaults. */
export function shownServing(fields: ServingSettings): Pick<WireServing, 'batch_size'> & Partial<WireServing> {
  const changed = changedServing(fields).map((name) => [name, fields[name]]);
  return { batch_size: fields.batchSize, ...(snakeKeys(Object.fromEntries(changed)) as Partial<WireServing>) };
}
