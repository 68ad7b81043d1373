import { z } from '../util/zod.ts';

/** -1, or a size. */
export const batchSize = z.union([z.literal(-1), z.number().int().positive()], 'must be -1 (adaptive) or greater than 0');

/** How the queries of a model version are batched and their outputs kept. */
export const servingShape = {
  batchSize: batchSize.default(-1).describe('Inputs a batch at most; -1: adaptive.'),
  batchDelayMicros: z.number().int().nonnegative().default(0).describe('How long a batch that is not full waits for more.'),
  hedge: z.boolean().default(false).describe('Sends a batch that takes longer than 95 of 100 to a second replica too.'),
  cache: z
    .union([z.boolean(), z.strictObject({ ttlMicros: z.number().int().positive() })])
    .default(true)
    .describe('Whether outputs are kept for identical inputs, and for how long: as long as there is room, if not said.'),
};

/** What of a version's settings travels with it. */
export type ServingOptions = { [Name in keyof typeof servingShape]: z.output<(typeof servingShape)[Name]> };

/** The settings among others. */
export const servingOf = ({ batchSize: size, batchDelayMicros, hedge, cache }: ServingOptions): ServingOptions => ({
  batchSize: size,
  batchDelayMicros,
  hedge,
  cache,
});
