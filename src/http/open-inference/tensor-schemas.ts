import { z } from '../../util/zod.ts';
import { datatypes } from './datatypes.ts';

// Of parameters, those that are not named here mean nothing to this server and are let through.
const InputTensor = z
  .object({
    name: z.string(),
    datatype: z.enum(datatypes),
    shape: z.array(z.number().int().nonnegative()).min(1).max(32).describe('The first dimension counts the inputs of the batch.'),
    parameters: z
      .object({ binary_data_size: z.number().int().nonnegative().optional().describe('Bytes behind the JSON.') })
      .optional(),
    // Elements are checked when they are read: there may be millions.
    data: z.unknown().optional().meta({ type: 'array', description: 'The elements, flat or nested as the shape says.' }),
  })
  .meta({ id: 'InputTensor' });
export type InputTensor = z.output<typeof InputTensor>;

export const InferenceRequest = z
  .object({
    id: z.string().optional(),
    parameters: z
      .object({ binary_data_output: z.boolean().optional().describe('Whether the output is wanted as binary data.') })
      .optional(),
    inputs: z.array(InputTensor).length(1),
    outputs: z
      .array(
        z.object({
          name: z.literal('output'),
          parameters: z.object({ binary_data: z.boolean().optional() }).optional(),
        }),
      )
      .max(1)
      .optional(),
  })
  .meta({ id: 'InferenceRequest' });

const perInput = <T extends z.ZodType>(one: T): z.ZodUnion<[T, z.ZodArray<T>]> => z.union([one, z.array(one)]);

export const InferenceResponse = z
  .object({
    model_name: z.string(),
    model_version: z.string().optional(),
    id: z.string().optional(),
    parameters: z
      .object({
        query_id: perInput(z.number().int()),
        default: perInput(z.boolean()).describe("Whether the output is the application's default output."),
        default_reason: perInput(z.string().nullable()).optional(),
        default_explanation: perInput(z.string().nullable()).optional(),
      })
      .describe('One value each for one input, arrays for several.'),
    outputs: z.array(
      z.object({
        name: z.literal('output'),
        datatype: z.enum(['FP64', 'BYTES']),
        shape: z.array(z.number().int()),
        parameters: z.object({ binary_data_size: z.number().int() }).optional(),
        data: z.array(z.union([z.number(), z.string()])).optional(),
      }),
    ),
  })
  .meta({ id: 'InferenceResponse' });
export type InferenceResponse = z.output<typeof InferenceResponse>;

const TensorMetadata = z
  .object({ name: z.string(), datatype: z.enum(datatypes), shape: z.array(z.number().int()).describe('-1: any length.') })
  .meta({ id: 'TensorMetadata' });

export const ModelMetadata = z
  .object({
    name: z.string(),
    versions: z.array(z.string()),
    platform: z.string(),
    inputs: z.array(TensorMetadata),
    outputs: z.array(TensorMetadata),
  })
  .meta({ id: 'ModelMetadata' });

export const ServerMetadata = z.object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) });
export const ModelReady = z.object({ name: z.string(), ready: z.boolean() });
export const InferenceError = z.object({ error: z.string() }).meta({ id: 'InferenceError' });
