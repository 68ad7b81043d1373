import {
  addApplication,
  addModelLinks,
  createApiKey,
  deleteApiKey,
  deleteApplication,
  deleteModelLinks,
  getAllApplications,
  getApplication,
  getLinkedModels,
} from '../contract/applications.ts';
import { found } from '../contract/call.ts';
import type { ClusterInfo } from '../contract/cluster.ts';
import { checkName } from '../control/names.ts';
import { ClipperError } from '../errors.ts';
import { resolveOptions } from '../util/options.ts';
import { type ApplicationOptions, schemas } from './options.ts';
import type { RestClient } from './rest-client.ts';
import { type ApplicationInfo, applicationInfo } from './wire.ts';

/** A cluster's applications. */
export abstract class Applications {
  abstract readonly management: RestClient;
  /** Undefined for Berkeley's server. */
  abstract readonly cluster: ClusterInfo | undefined;

  /**
   * Makes a REST endpoint, and links it to a model if one is given. Throws E_INVALID_OPTION, E_APPLICATION_EXISTS,
   * E_UNKNOWN_MODEL, E_INPUT_TYPE_MISMATCH.
   */
  async registerApplication(options: ApplicationOptions): Promise<void> {
    const { name, inputType, defaultOutput, sloMicros, model, cache } = resolveOptions(
      schemas.ApplicationOptions,
      options,
      'registerApplication',
    );
    checkName(name, 'application name');
    const body = { name, input_type: inputType, default_output: defaultOutput, latency_slo_micros: sloMicros };
    if (this.cluster !== undefined) {
      const linked = model === undefined ? {} : { linked_models: [model] };
      await this.management.call(addApplication, { ...body, cache, ...linked });
      return;
    }
    await this.management.call(addApplication, body);
    if (model === undefined) return;
    await this.linkModelToApp(name, model).catch(async (error: unknown) => {
      await this.unregisterApplication(name);
      throw error;
    });
  }

  /** Deletes an application, with its feedback. Throws E_UNKNOWN_APPLICATION. */
  async unregisterApplication(name: string): Promise<void> {
    await this.management.call(deleteApplication, { name });
  }

  /** Sends an application's queries to the current version of a model. */
  async linkModelToApp(application: string, model: string): Promise<void> {
    await this.management.call(addModelLinks, { app_name: application, model_names: [model] });
  }

  /**
   * Removes the link between a model and an application, whose queries then get the default output. Throws E_UNKNOWN_APPLICATION,
   * E_LINK_REFUSED.
   */
  async unlinkModelFromApp(application: string, model: string): Promise<void> {
    await this.management.call(deleteModelLinks, { app_name: application, model_names: [model] });
  }

  /**
   * Makes a key of an application, whose queries need one of its keys from then on. The server keeps only its hash: replace a
   * lost key. Throws E_UNKNOWN_APPLICATION.
   */
  async createApiKey(application: string): Promise<string> {
    return (await this.management.call(createApiKey, { application })).key;
  }

  /**
   * Deletes a key; without keys, an application answers everyone. Throws E_UNKNOWN_APPLICATION, E_INVALID_OPTION for an unknown
   * key.
   */
  async deleteApiKey(application: string, key: string): Promise<void> {
    await this.management.call(deleteApiKey, { application, key });
  }

  /** Every application. */
  async getAllApps(): Promise<readonly ApplicationInfo[]> {
    const all = await this.management.call(getAllApplications, { verbose: true });
    return all.flatMap((each) => (typeof each === 'string' ? [] : applicationInfo(each)));
  }

  /** One application; undefined if there is none of this name. */
  async getAppInfo(name: string): Promise<ApplicationInfo | undefined> {
    const application = found(await this.management.call(getApplication, { name }));
    return application === undefined ? undefined : applicationInfo(application);
  }

  /** The names of the models linked to an application: none or one. Throws E_UNKNOWN_APPLICATION. */
  async getLinkedModels(application: string): Promise<readonly string[]> {
    return this.management.call(getLinkedModels, { app_name: application });
  }

  /** @internal */
  protected async knownApp(name: string): Promise<ApplicationInfo> {
    const found = await this.getAppInfo(name);
    if (found !== undefined) return found;
    throw new ClipperError('E_UNKNOWN_APPLICATION', `No application with name '${name}' exists`);
  }
}
