import { inputTypeSpellings, inputTypes } from '../protocol/input-types.ts';
import { z } from '../util/zod.ts';
import { defineCall, nothing, text } from './call.ts';

/** An input type as Clipper's clients may spell it. */
export const inputTypeSpelling = z.string().meta({ enum: inputTypeSpellings.split(' ') });
export const verbose = z.object({ verbose: z.boolean().default(false) });

const latency_slo_micros = z.number().int().positive().describe('The time in which every query is answered, in microseconds.');
const cache = z.boolean().describe('Whether queries may be answered from the cache.');

export const Application = z
  .object({
    name: z.string(),
    input_type: z.enum(inputTypes),
    default_output: z.string(),
    latency_slo_micros: z.number().int(),
    cache: cache.default(true),
    api_keys: z.number().int().default(0).describe('How many keys it has.'),
    linked_models: z.array(z.string()),
  })
  .meta({ id: 'Application' });

const Named = z.object({ name: z.string() });
const Links = z.object({ app_name: z.string(), model_names: z.array(z.string()).describe('Exactly one.') });

export const addApplication = defineCall({
  path: '/admin/add_app',
  name: 'add_app',
  summary: 'Adds an application.',
  body: z.object({
    name: z.string(),
    input_type: inputTypeSpelling,
    default_output: z.string(),
    latency_slo_micros,
    cache: cache.optional(),
    linked_models: z.array(z.string()).max(1).default([]).describe('A model to link it to at once.'),
  }),
  gives: text,
});

export const deleteApplication = defineCall({
  path: '/admin/delete_app',
  name: 'delete_app',
  summary: 'Deletes an application.',
  body: Named,
  gives: text,
});

export const getAllApplications = defineCall({
  path: '/admin/get_all_applications',
  name: 'get_all_applications',
  summary: 'Every application: its name or, if verbose, all of it.',
  body: verbose,
  gives: z.array(z.union([z.string(), Application])),
});

export const getApplication = defineCall({
  path: '/admin/get_application',
  name: 'get_application',
  summary: 'One application, or an empty object.',
  body: Named,
  gives: z.union([Application, nothing]),
});

export const getState = defineCall({
  path: '/admin/get_state',
  name: 'get_state',
  summary: "An application's default output.",
  body: z.object({ app_name: z.string(), uid: z.number() }),
  gives: text,
});

export const addModelLinks = defineCall({
  path: '/admin/add_model_links',
  name: 'add_model_links',
  summary: 'Links a model to an application, whose queries it answers from then on.',
  body: Links,
  gives: text,
});

export const deleteModelLinks = defineCall({
  path: '/admin/delete_model_links',
  name: 'delete_model_links',
  summary: 'Removes the link between a model and an application.',
  body: Links,
  gives: text,
});

export const getLinkedModels = defineCall({
  path: '/admin/get_linked_models',
  name: 'get_linked_models',
  summary: 'The names of the models linked to an application: none or one.',
  body: z.object({ app_name: z.string() }),
  gives: z.array(z.string()),
});

export const createApiKey = defineCall({
  path: '/admin/v1/api-keys',
  name: 'createApiKey',
  summary: 'Makes a key of an application. Its queries need one from then on.',
  body: z.strictObject({ application: z.string() }),
  gives: z.object({ key: z.string() }),
});

export const deleteApiKey = defineCall({
  path: '/admin/v1/api-keys/delete',
  name: 'deleteApiKey',
  summary: 'Deletes a key of an application. Once the last one is deleted, its queries need none.',
  body: z.strictObject({ application: z.string(), key: z.string() }),
  gives: nothing,
});
