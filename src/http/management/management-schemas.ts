import { inputTypeSpellings } from '../../protocol/input-types.ts';
import { z } from '../../util/zod.ts';

/** An input type as Clipper's clients may spell it. */
export const inputTypeSpelling = z.string().meta({ enum: inputTypeSpellings.split(' ') });

const version = z.union([z.string(), z.number()]).transform(String);

/** The fields that name a model version. */
export const modelVersion = { model_name: z.string(), model_version: version };

export const verbose = z.object({ verbose: z.boolean().default(false) });

/** The answer where there is no such thing. */
export const none = z.strictObject({});
