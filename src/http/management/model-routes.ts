import { modelKey } from '../../control/names.ts';
import type { Registry } from '../../control/registry.ts';
import type { ModelVersion } from '../../control/state-store.ts';
import type { Deployments } from '../../deployments/deployments.ts';
import { inputTypes, parseInputType } from '../../protocol/input-types.ts';
import { z } from '../../util/zod.ts';
import type { Api } from '../api.ts';
import { batchSize } from '../serving-schemas.ts';
import { addManagementEndpoint, text } from './management-endpoint.ts';
import { inputTypeSpelling, modelVersion, none, verbose } from './management-schemas.ts';

/** Ours beside Clipper's `batch_size`. */
const settings = {
  batch_delay_micros: z.number().int().nonnegative().describe('How long a batch that is not full waits for more.'),
  hedge: z.boolean().describe('Whether a slow batch is sent to a second replica too.'),
  cache: z.union([z.boolean(), z.object({ ttl_micros: z.number().int().positive() })]).describe('Whether outputs are kept.'),
};
const ModelAnswer = z
  .object({
    model_name: z.string(),
    model_version: z.string(),
    input_type: z.enum(inputTypes),
    labels: z.array(z.string()),
    container_name: z.string(),
    model_data_path: z.string(),
    batch_size: z.number().int(),
    ...z.object(settings).partial().shape,
    is_current_version: z.boolean(),
  })
  .meta({ id: 'Model' });

interface ModelServices {
  readonly registry: Registry;
  readonly deployments: Deployments;
}

/** Model versions. */
export function addModelRoutes(api: Api, { registry, deployments }: ModelServices): void {
  addChanges(api, { registry, deployments });
  addReads(api, registry);
}

function addChanges(api: Api, { registry, deployments }: ModelServices): void {
  addManagementEndpoint(api, 'add_model', {
    summary: 'Adds a model version and makes it the current one.',
    body: z.object({
      ...modelVersion,
      input_type: inputTypeSpelling,
      labels: z.array(z.string()).default([]),
      container_name: z.string().default(''),
      model_data_path: z.string().default(''),
      batch_size: batchSize,
      ...z.object(settings).partial().shape,
    }),
    gives: text,
    answer: async (body) => {
      const { model_name: name, model_version, labels, container_name, model_data_path } = body;
      const inputType = parseInputType(body.input_type);
      const { batch_size, batch_delay_micros = 0, hedge = false, cache = true } = body;
      const kept = typeof cache === 'boolean' ? cache : { ttlMicros: cache.ttl_micros };
      const serving = { batchSize: batch_size, batchDelayMicros: batch_delay_micros, hedge, cache: kept };
      const rest = { containerName: container_name, modelDataPath: model_data_path, ...serving };
      await registry.addModel({ name, version: model_version, inputType, labels, ...rest }, { isCurrent: true });
      return `Successfully added model with name '${name}' and input type '${inputType}'`;
    },
  });
  addManagementEndpoint(api, 'delete_versioned_model', {
    summary: 'Deletes a model version, and stops the replicas that the server runs of it.',
    body: z.object(modelVersion),
    gives: text,
    answer: async ({ model_name, model_version }) => {
      await deployments.delete(model_name, model_version);
      return `Successfully deleted model with name '${model_name}' and version '${model_version}'`;
    },
  });
  addManagementEndpoint(api, 'set_model_version', {
    summary: 'Makes a version the current one of its model, once replicas of it run where the server is to run them.',
    body: z.object(modelVersion),
    gives: text,
    answer: async ({ model_name, model_version }, abandoned) => {
      await deployments.activate(model_name, model_version, abandoned);
      return `Successfully set model with name '${model_name}' to version '${model_version}'`;
    },
  });
}

/** What isn't as Clipper has it. */
const describeSettings = ({ batchDelayMicros = 0, hedge = false, cache = true }: ModelVersion): object => ({
  ...(batchDelayMicros === 0 ? {} : { batch_delay_micros: batchDelayMicros }),
  ...(hedge ? { hedge } : {}),
  ...(cache === true ? {} : { cache: cache === false ? cache : { ttl_micros: cache.ttlMicros } }),
});

function addReads(api: Api, registry: Registry): void {
  const describe = (model: ModelVersion): z.output<typeof ModelAnswer> => ({
    model_name: model.name,
    model_version: model.version,
    input_type: model.inputType,
    labels: [...model.labels],
    container_name: model.containerName,
    model_data_path: model.modelDataPath,
    batch_size: model.batchSize,
    ...describeSettings(model),
    is_current_version: registry.currentVersion(model.name) === model.version,
  });
  addManagementEndpoint(api, 'get_all_models', {
    summary: 'Every model version: `name:version` or, verbose, all of it.',
    body: verbose,
    gives: z.array(z.union([z.string(), ModelAnswer])),
    answer: (body) => registry.models.map((each) => (body.verbose ? describe(each) : modelKey(each.name, each.version))),
  });
  addManagementEndpoint(api, 'get_model', {
    summary: 'One model version, or an empty object.',
    body: z.object(modelVersion),
    gives: z.union([ModelAnswer, none]),
    answer: ({ model_name, model_version }) => {
      const model = registry.model(model_name, model_version);
      return model === undefined ? {} : describe(model);
    },
  });
}
