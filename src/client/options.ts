import { envSchema, networkSchema, resourcesSchema, wantedReplicasSchema } from '../contract/deploys.ts';
import { servingShape } from '../contract/serving.ts';
import { registryOption } from '../image/registry.ts';
import { type InputType, inputTypeSpellings, isInputTypeSpelling, parseInputType } from '../protocol/input-types.ts';
import { z } from '../util/zod.ts';
import type { OnProgress } from './progress.ts';
import type { Input } from './wire.ts';

export const inputTypeOption = z
  .string()
  .refine(isInputTypeSpelling, { error: `must be one of: ${inputTypeSpellings}` })
  .transform(parseInputType)
  .describe('What one input is: bytes, integers, floats, doubles or strings.');

export const versionOption = z.union([z.string(), z.number()]).optional().describe('Left out: the next free integer.');

/** Options of every long call. */
export const progressShape = {
  onProgress: z.custom<OnProgress>((value) => typeof value === 'function', 'must be a function').optional(),
  signal: z.instanceof(AbortSignal).optional().describe('Gives up, with nothing left of it.'),
};

/** How replicas run. */
export const replicasShape = {
  labels: z.array(z.string()).default([]),
  replicas: wantedReplicasSchema
    .refine((replicas) => replicas !== 0, 'must be at least 1')
    .default(1)
    .describe('How many copies to run; { min, max }: as many as the load asks for.'),
  current: z
    .boolean()
    .default(true)
    .describe('Whether the version becomes the current one; without, setModelVersion does it later.'),
  ...servingShape,
  env: envSchema.default({}).describe("Environment variables for the replicas, besides the server's own."),
  resources: resourcesSchema.default({}).describe('What a replica may use: in containers.'),
  network: networkSchema
    .default('cluster')
    .describe("What replicas reach besides the server; 'none': no other machine or container. In containers."),
  sample: z.custom<Input>().optional().describe('An input that must be answered before the version becomes current.'),
};

/** A number of replicas, or a range that follows the load. */
export type ReplicasOption = z.input<typeof wantedReplicasSchema>;

/** Options of images, for replicas that are containers. */
export const imageShape = {
  registry: registryOption.optional(),
  baseImage: z
    .string()
    .regex(/^[\w./:@-]+$/, "must be 'auto' or an image's name")
    .default('auto')
    .describe("What the image is made on; 'auto': the running Node, else Node's own image."),
};

export const applicationShape = {
  inputType: inputTypeOption,
  defaultOutput: z.string().default('None').describe('What a query is answered with when no prediction is there in time.'),
  sloMicros: z.number().int().positive().default(3_000_000).describe('Latency objective: every query is answered within it.'),
};

const ApplicationOptions = z.strictObject({
  name: z.string(),
  ...applicationShape,
  model: z.string().optional().describe('The name of a model to link at once.'),
  cache: z.boolean().default(true).describe('Whether its queries may be answered from the cache.'),
});
/** An application: the REST endpoint that queries are sent to. */
export type ApplicationOptions = Omit<z.input<typeof ApplicationOptions>, 'inputType'> & {
  readonly inputType: InputType | (string & {});
};

const ModelOptions = z.strictObject({
  name: z.string(),
  version: z.union([z.string(), z.number()]),
  inputType: inputTypeOption,
  image: z.string().default('').describe('The image of the containers that will serve it.'),
  labels: z.array(z.string()).default([]),
  ...servingShape,
});
/** A model version whose containers someone else starts. */
export type ModelOptions = z.input<typeof ModelOptions>;

const LogOptions = z.strictObject({
  name: z.string().optional().describe('Only replicas of this model.'),
  version: z.union([z.string(), z.number()]).transform(String).optional(),
  tailLines: z.number().int().positive().max(100_000).default(1_000).describe('How many of the last lines.'),
});
/** Which replicas' logs to read, and how much of them. */
export type LogOptions = z.input<typeof LogOptions>;

const PredictOptions = z.strictObject({
  version: z.union([z.string(), z.number()]).transform(String).optional().describe('Another version than the current one.'),
  key: z.string().optional().describe('Queries with the same key go to the same version, if traffic is split.'),
  apiKey: z.string().optional().describe("A key of the application; left out: the connection's."),
  explain: z.boolean().default(false).describe('Asks what happened to the query, and when.'),
});
/** What a query says besides its inputs. */
export type PredictOptions = z.input<typeof PredictOptions>;

export const schemas = { ApplicationOptions, ModelOptions, LogOptions, PredictOptions };
