import {
  type Application as ApplicationAnswer,
  addApplication,
  addModelLinks,
  deleteApplication,
  deleteModelLinks,
  getAllApplications,
  getApplication,
  getLinkedModels,
  getState,
} from '../../contract/applications.ts';
import type { Registry } from '../../control/registry.ts';
import type { Application } from '../../control/state-store.ts';
import { ClipperError } from '../../errors.ts';
import { parseInputType } from '../../protocol/input-types.ts';
import type { z } from '../../util/zod.ts';
import type { Api } from '../api.ts';
import { addManagementEndpoint } from './management-endpoint.ts';

interface ApplicationServices {
  readonly registry: Registry;
  /** Removes what is kept of an application's queries. */
  readonly forget: (application: string) => Promise<void>;
}

/** Applications, and the models that they are linked to. */
export function addApplicationRoutes(api: Api, { registry, forget }: ApplicationServices): void {
  addChanges(api, { registry, forget });
  addReads(api, registry);
  addLinks(api, registry);
}

function addChanges(api: Api, { registry, forget }: ApplicationServices): void {
  addManagementEndpoint(api, addApplication, async (body) => {
    const { name, default_output: defaultOutput, latency_slo_micros: latencySloMicros, cache = true } = body;
    const [model] = body.linked_models;
    const inputType = parseInputType(body.input_type);
    await registry.addApplication({ name, inputType, defaultOutput, latencySloMicros, cache }, model);
    return `Successfully added application with name '${name}'`;
  });
  addManagementEndpoint(api, deleteApplication, async ({ name }) => {
    await registry.deleteApplication(name);
    await forget(name);
    return `Successfully deleted application with name '${name}'`;
  });
}

function addReads(api: Api, registry: Registry): void {
  const describe = (application: Application): z.input<typeof ApplicationAnswer> => {
    const { name, inputType, defaultOutput, latencySloMicros, cache = true, apiKeyHashes = [] } = application;
    return {
      name,
      input_type: inputType,
      default_output: defaultOutput,
      latency_slo_micros: latencySloMicros,
      ...(cache ? {} : { cache }),
      ...(apiKeyHashes.length === 0 ? {} : { api_keys: apiKeyHashes.length }),
      linked_models: [...registry.linkedModels(name)],
    };
  };
  addManagementEndpoint(api, getAllApplications, (body) =>
    registry.applications.map((each) => (body.verbose ? describe(each) : each.name)),
  );
  addManagementEndpoint(api, getApplication, ({ name }) => {
    const application = registry.application(name);
    return application === undefined ? {} : describe(application);
  });
  addManagementEndpoint(api, getState, ({ app_name }) => registry.knownApplication(app_name).defaultOutput);
}

function addLinks(api: Api, registry: Registry): void {
  addManagementEndpoint(api, addModelLinks, async ({ app_name, model_names }) => {
    const model = only(model_names);
    await registry.linkModel(app_name, model);
    return `Successfully linked model with name '${model}' to application '${app_name}'`;
  });
  addManagementEndpoint(api, deleteModelLinks, async ({ app_name, model_names }) => {
    await registry.unlinkModel(app_name, only(model_names));
    return 'Success!';
  });
  addManagementEndpoint(api, getLinkedModels, ({ app_name }) => [
    ...registry.linkedModels(registry.knownApplication(app_name).name),
  ]);
}

function only(names: readonly string[]): string {
  const [name] = names;
  if (name !== undefined && names.length === 1) return name;
  throw new ClipperError('E_LINK_REFUSED', `Expected exactly one model name, got ${names.length}`);
}
