import { z } from 'zod';
import { type InputType, inputTypeSpellings, isInputTypeSpelling, parseInputType } from '../protocol/input-types.ts';

export const inputTypeOption = z
  .string()
  .refine(isInputTypeSpelling, { error: `must be one of: ${inputTypeSpellings}` })
  .transform(parseInputType)
  .describe('What one input is: bytes, integers, floats, doubles or strings.');

export const applicationShape = {
  inputType: inputTypeOption,
  defaultOutput: z.string().default('None').describe('What a query is answered with when no prediction is there in time.'),
  sloMicros: z.number().int().positive().default(3_000_000).describe('Latency objective: every query is answered within it.'),
};

const ApplicationOptions = z.strictObject({
  name: z.string(),
  ...applicationShape,
  model: z.string().optional().describe('The name of a model to link at once.'),
});
export type ApplicationOptions = Omit<z.input<typeof ApplicationOptions>, 'inputType'> & {
  readonly inputType: InputType | (string & {});
};

const ModelOptions = z.strictObject({
  name: z.string(),
  version: z.union([z.string(), z.number()]),
  inputType: inputTypeOption,
  image: z.string().default('').describe('The image of the containers that will serve it.'),
  labels: z.array(z.string()).default([]),
  batchSize: z.number().int().default(-1).describe('Inputs a batch at most; -1: adaptive.'),
});
export type ModelOptions = z.input<typeof ModelOptions>;

const LogOptions = z.strictObject({
  name: z.string().optional().describe('Only replicas of this model.'),
  version: z.union([z.string(), z.number()]).transform(String).optional(),
  tailLines: z.number().int().positive().max(100_000).default(1_000).describe('The last so many lines.'),
});
export type LogOptions = z.input<typeof LogOptions>;

const PredictOptions = z.strictObject({
  version: z.union([z.string(), z.number()]).transform(String).optional().describe('Another version than the current one.'),
});
export type PredictOptions = z.input<typeof PredictOptions>;

export const schemas = { ApplicationOptions, ModelOptions, LogOptions, PredictOptions };
