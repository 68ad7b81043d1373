import type { Registry } from '../../control/registry.ts';
import type { Application } from '../../control/state-store.ts';
import { ClipperError } from '../../errors.ts';
import { inputTypes, parseInputType } from '../../protocol/input-types.ts';
import { z } from '../../util/zod.ts';
import type { Api } from '../api.ts';
import { addManagementEndpoint, text } from './management-endpoint.ts';
import { inputTypeSpelling, none, verbose } from './management-schemas.ts';

const latency_slo_micros = z.number().int().positive().describe('Queries are answered within so many microseconds.');
const cache = z.boolean().describe('Whether queries may be answered from the cache.');
const ApplicationAnswer = z
  .object({
    name: z.string(),
    input_type: z.enum(inputTypes),
    default_output: z.string(),
    latency_slo_micros: z.number().int(),
    cache: cache.optional(),
    api_keys: z.number().int().optional().describe('How many keys it has; left out: none.'),
    linked_models: z.array(z.string()),
  })
  .meta({ id: 'Application' });

interface ApplicationServices {
  readonly registry: Registry;
  /** Forgets what was kept of an application's queries. */
  readonly forget: (application: string) => Promise<void>;
}

/** Applications, and the models that they are linked to. */
export function addApplicationRoutes(api: Api, { registry, forget }: ApplicationServices): void {
  addChanges(api, { registry, forget });
  addReads(api, registry);
  addLinks(api, registry);
}

function addChanges(api: Api, { registry, forget }: ApplicationServices): void {
  addManagementEndpoint(api, 'add_app', {
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
    answer: async ({ name, input_type, default_output, latency_slo_micros, cache: isCached = true, linked_models: [model] }) => {
      const inputType = parseInputType(input_type);
      const settings = { defaultOutput: default_output, latencySloMicros: latency_slo_micros, cache: isCached };
      await registry.addApplication({ name, inputType, ...settings }, model);
      return `Successfully added application with name '${name}'`;
    },
  });
  addManagementEndpoint(api, 'delete_app', {
    summary: 'Deletes an application.',
    body: z.object({ name: z.string() }),
    gives: text,
    answer: async ({ name }) => {
      await registry.deleteApplication(name);
      await forget(name);
      return `Successfully deleted application with name '${name}'`;
    },
  });
}

function addReads(api: Api, registry: Registry): void {
  const describe = ({
    name,
    inputType,
    defaultOutput,
    latencySloMicros,
    cache: isCached = true,
    apiKeyHashes = [],
  }: Application): z.output<typeof ApplicationAnswer> => ({
    name,
    input_type: inputType,
    default_output: defaultOutput,
    latency_slo_micros: latencySloMicros,
    ...(isCached ? {} : { cache: false }),
    ...(apiKeyHashes.length === 0 ? {} : { api_keys: apiKeyHashes.length }),
    linked_models: [...registry.linkedModels(name)],
  });
  addManagementEndpoint(api, 'get_all_applications', {
    summary: 'Every application: its name or, verbose, all of it.',
    body: verbose,
    gives: z.array(z.union([z.string(), ApplicationAnswer])),
    answer: (body) => registry.applications.map((each) => (body.verbose ? describe(each) : each.name)),
  });
  addManagementEndpoint(api, 'get_application', {
    summary: 'One application, or an empty object.',
    body: z.object({ name: z.string() }),
    gives: z.union([ApplicationAnswer, none]),
    answer: ({ name }) => {
      const application = registry.application(name);
      return application === undefined ? {} : describe(application);
    },
  });
  addManagementEndpoint(api, 'get_state', {
    summary: "An application's default output.",
    body: z.object({ app_name: z.string(), uid: z.number() }),
    gives: text,
    answer: ({ app_name }) => registry.knownApplication(app_name).defaultOutput,
  });
}

function addLinks(api: Api, registry: Registry): void {
  const links = z.object({ app_name: z.string(), model_names: z.array(z.string()).describe('Exactly one.') });
  const only = (names: readonly string[]): string => {
    const [name] = names;
    if (name !== undefined && names.length === 1) return name;
    throw new ClipperError('E_LINK_REFUSED', `Expected exactly one model name, got ${names.length}`);
  };
  addManagementEndpoint(api, 'add_model_links', {
    summary: 'Links a model to an application, whose queries it answers from then on.',
    body: links,
    gives: text,
    answer: async ({ app_name, model_names }) => {
      const model = only(model_names);
      await registry.linkModel(app_name, model);
      return `Successfully linked model with name '${model}' to application '${app_name}'`;
    },
  });
  addManagementEndpoint(api, 'delete_model_links', {
    summary: 'Takes the link between a model and an application away.',
    body: links,
    gives: text,
    answer: async ({ app_name, model_names }) => {
      await registry.unlinkModel(app_name, only(model_names));
      return 'Success!';
    },
  });
  addManagementEndpoint(api, 'get_linked_models', {
    summary: 'The names of the models linked to an application: none or one.',
    body: z.object({ app_name: z.string() }),
    gives: z.array(z.string()),
    answer: ({ app_name }) => [...registry.linkedModels(registry.knownApplication(app_name).name)],
  });
}
