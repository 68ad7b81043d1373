import { inputTypes } from '../protocol/input-types.ts';
import { z } from '../util/zod.ts';
import { defineCall, nothing } from './call.ts';
import { servingShape } from './serving.ts';

/** One machine may be asked for more by mistake. */
export const maxReplicas = 1_000;

const count = z.number().int().nonnegative().max(maxReplicas);
const range = z
  .strictObject({
    min: count.default(1),
    max: count.positive(),
    targetUtilization: z
      .number()
      .gt(0)
      .lte(1)
      .default(0.7)
      .describe('The share of their time that replicas are to be busy; above it, more are started.'),
    scaleDownAfterMs: z
      .number()
      .positive()
      .default(60_000)
      .describe('Replicas are stopped once fewer would have been enough for this long.'),
  })
  .refine(({ min, max }) => min <= max, 'min must not be more than max');
export type AutoscalingRange = Readonly<z.output<typeof range>>;

/** How many replicas a version is to have: a number, or as many as its load asks for. */
export const wantedReplicasSchema = z.union([count, range], 'must be a whole number, or { min, max }');
export type WantedReplicas = number | AutoscalingRange;

/** What a replica may use of its machine, if it is a container. */
export const resourcesSchema = z.strictObject({
  memoryMiB: z.number().positive().optional().describe('A replica that takes more is ended.'),
  cpus: z.number().positive().optional().describe("Processors' worth of time: 0.5 is half of one."),
  gpus: z.union([z.number().int().positive(), z.literal('all')], "must be a whole number, or 'all'").optional(),
});
export type Resources = Readonly<z.output<typeof resourcesSchema>>;

/** Environment variables, as any system takes them. */
export const envSchema = z.record(
  z.string().regex(/^[^=\s\0]+$/, 'a name must have no "=" and no space in it'),
  z.string().regex(/^[^\0]*$/, 'must have no NUL'),
);

/** What replicas reach besides the server: what this machine does, or nothing beyond it. */
export const networkSchema = z.enum(['cluster', 'none']);
export type NetworkChoice = z.output<typeof networkSchema>;

const DeployBody = z.strictObject({
  name: z.string(),
  version: z.string().optional().describe('Default: the next free integer.'),
  inputType: z.enum(inputTypes),
  labels: z.array(z.string()),
  ...servingShape,
  replicas: wantedReplicasSchema,
  env: envSchema,
  resources: resourcesSchema,
  network: networkSchema,
  digest: z.string().optional().describe("A bundle in the server's folder, or the one that our image was made from."),
  // It becomes a part of the path that the engine is asked at.
  image: z
    .string()
    .regex(/^(?!.*\.\.)[\w./:@+[\]-]{1,500}$/, "must be an image's name")
    .optional()
    .describe('The image to run instead of a bundle.'),
  current: z.boolean().default(true).describe('Whether to make the version the current one.'),
  sampleBase64: z.base64().optional().describe('An input that a replica must answer before the version becomes current.'),
});

export const deploy = defineCall({
  path: '/admin/v1/deploy',
  name: 'deploy',
  summary: 'Starts replicas of a bundle or image as a new model version, which is current once they answer.',
  body: DeployBody,
  gives: z.object({
    version: z.string(),
    digest: z.string().describe("The bundle's; the image's if that is the user's own."),
  }),
});

export const nextVersion = defineCall({
  path: '/admin/v1/next-version',
  name: 'nextVersion',
  summary: 'The next free version of a model.',
  body: z.strictObject({ name: z.string() }),
  gives: z.object({ version: z.string() }),
});

export const setReplicas = defineCall({
  path: '/admin/v1/replicas',
  name: 'setNumReplicas',
  summary: 'Keeps this many replicas of a model version from now on.',
  body: z.strictObject({ name: z.string(), version: z.string(), replicas: wantedReplicasSchema }),
  gives: nothing,
});

export const stopModels = defineCall({
  path: '/admin/v1/stop',
  name: 'stopModels',
  summary: 'Stops the replicas of model versions.',
  body: z.strictObject({
    models: z.array(z.strictObject({ name: z.string(), version: z.string() })).default([]),
    inactiveOf: z.array(z.string()).default([]).describe('Models of which all versions but the current one are stopped.'),
  }),
  gives: nothing,
});
