import { camelKeys } from '../../contract/case.ts';
import {
  addModel,
  deleteModelVersion,
  getAllModels,
  getModel,
  type Model as ModelAnswer,
  setModelVersion,
} from '../../contract/models.ts';
import { servingOf, shownServing } from '../../contract/serving.ts';
import { modelKey } from '../../control/names.ts';
import type { Registry } from '../../control/registry.ts';
import type { ModelVersion } from '../../control/state-store.ts';
import type { Deployments } from '../../deployments/deployments.ts';
import { parseInputType } from '../../protocol/input-types.ts';
import type { z } from '../../util/zod.ts';
import type { Api } from '../api.ts';
import { addManagementEndpoint } from './management-endpoint.ts';

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
  addManagementEndpoint(api, addModel, async (body) => {
    const { modelName: name, modelVersion: version, containerName, modelDataPath, labels, ...rest } = camelKeys(body);
    const inputType = parseInputType(rest.inputType);
    const model = { name, version, inputType, labels, containerName, modelDataPath, ...servingOf(rest) };
    await registry.addModel(model, { isCurrent: true });
    return `Successfully added model with name '${name}' and input type '${inputType}'`;
  });
  addManagementEndpoint(api, deleteModelVersion, async ({ model_name, model_version }) => {
    await deployments.delete(model_name, model_version);
    return `Successfully deleted model with name '${model_name}' and version '${model_version}'`;
  });
  addManagementEndpoint(api, setModelVersion, async ({ model_name, model_version }, abandoned) => {
    await deployments.activate(model_name, model_version, abandoned);
    return `Successfully set model with name '${model_name}' to version '${model_version}'`;
  });
}

function addReads(api: Api, registry: Registry): void {
  const describe = (model: ModelVersion): z.input<typeof ModelAnswer> => ({
    model_name: model.name,
    model_version: model.version,
    input_type: model.inputType,
    labels: [...model.labels],
    container_name: model.containerName,
    model_data_path: model.modelDataPath,
    ...shownServing(model),
    is_current_version: registry.currentVersion(model.name) === model.version,
  });
  addManagementEndpoint(api, getAllModels, (body) =>
    registry.models.map((each) => (body.verbose ? describe(each) : modelKey(each.name, each.version))),
  );
  addManagementEndpoint(api, getModel, ({ model_name, model_version }) => {
    const model = registry.model(model_name, model_version);
    return model === undefined ? {} : describe(model);
  });
}
