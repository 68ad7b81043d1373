import { inputTypes } from '../protocol/input-types.ts';
import { z } from '../util/zod.ts';
import { inputTypeSpelling, verbose } from './applications.ts';
import { answeredVersion, defineCall, nothing, text, version } from './call.ts';
import { servingShape, wireServingShape } from './serving.ts';

/** The fields that name a model version. */
const modelVersion = { model_name: z.string(), model_version: version };
const NamedVersion = z.object(modelVersion);

export const Model = z
  .object({
    model_name: z.string(),
    model_version: answeredVersion,
    input_type: z.enum(inputTypes),
    labels: z.array(z.string()),
    container_name: z.string(),
    model_data_path: z.string(),
    ...wireServingShape,
    is_current_version: z.boolean(),
  })
  .meta({ id: 'Model' });

export const addModel = defineCall({
  path: '/admin/add_model',
  name: 'add_model',
  summary: 'Adds a model version and makes it the current one.',
  body: z.object({
    ...modelVersion,
    input_type: inputTypeSpelling,
    labels: z.array(z.string()).default([]),
    container_name: z.string().default(''),
    model_data_path: z.string().default(''),
    ...wireServingShape,
    batch_size: servingShape.batchSize.unwrap(),
  }),
  gives: text,
});

export const deleteModelVersion = defineCall({
  path: '/admin/delete_versioned_model',
  name: 'delete_versioned_model',
  summary: 'Deletes a model version, and stops the replicas that the server runs of it.',
  body: NamedVersion,
  gives: text,
});

export const setModelVersion = defineCall({
  path: '/admin/set_model_version',
  name: 'set_model_version',
  summary: 'Makes a version the current one of its model, once its replicas run if the server is to run them.',
  body: NamedVersion,
  gives: text,
});

export const getAllModels = defineCall({
  path: '/admin/get_all_models',
  name: 'get_all_models',
  summary: 'Every model version: `name:version` or, if verbose, all of it.',
  body: verbose,
  gives: z.array(z.union([z.string(), Model])),
});

export const getModel = defineCall({
  path: '/admin/get_model',
  name: 'get_model',
  summary: 'One model version, or an empty object.',
  body: NamedVersion,
  gives: z.union([Model, nothing]),
});

export const Replica = z
  .object({
    model_id: z.string(),
    model_name: z.string(),
    model_version: answeredVersion,
    model_replica_id: z.number().int(),
    input_type: z.enum(inputTypes),
  })
  .meta({ id: 'Replica' });

export const getAllReplicas = defineCall({
  path: '/admin/get_all_containers',
  name: 'get_all_containers',
  summary: 'Every connected replica: `name:version:id` or, if verbose, all of it.',
  body: verbose,
  gives: z.array(z.union([z.string(), Replica])),
});

export const getReplica = defineCall({
  path: '/admin/get_container',
  name: 'get_container',
  summary: 'One connected replica, or an empty object.',
  body: z.object({ ...modelVersion, replica_id: z.number().int() }),
  gives: z.union([Replica, nothing]),
});
