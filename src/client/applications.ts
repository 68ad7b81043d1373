import { checkName } from '../control/names.ts';
import { ClipperError } from '../errors.ts';
import type { ClusterInfo } from '../http/management/cluster-routes.ts';
import { resolveOptions } from '../util/options.ts';
import { type ApplicationOptions, schemas } from './options.ts';
import type { RestClient } from './rest-client.ts';
import { type ApplicationInfo, applicationInfo, type WireApplication } from './wire.ts';

/** What can be done with the applications of a cluster. */
export abstract class Applications {
  abstract readonly management: RestClient;
  /** Undefined for a server that isn't ours. */
  abstract readonly cluster: ClusterInfo | undefined;

  /** Makes a REST endpoint, and links it to a model where one is named. Throws E_INVALID_OPTION, E_APPLICATION_EXISTS, E_UNKNOWN_MODEL, E_INPUT_TYPE_MISMATCH. */
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
      await this.management.post('/admin/add_app', { ...body, cache, ...linked });
      return;
    }
    await this.management.post('/admin/add_app', body);
    if (model === undefined) return;
    await this.linkModelToApp(name, model).catch(async (error: unknown) => {
      await this.unregisterApplication(name);
      throw error;
    });
  }

  async unregisterApplication(name: string): Promise<void> {
    await this.management.post('/admin/delete_app', { name });
  }

  /** Sends an application's queries to the current version of a model. */
  async linkModelToApp(application: string, model: string): Promise<void> {
    await this.management.post('/admin/add_model_links', { app_name: application, model_names: [model] });
  }

  async unlinkModelFromApp(application: string, model: string): Promise<void> {
    await this.management.post('/admin/delete_model_links', { app_name: application, model_names: [model] });
  }

  /**
   * Makes a key of an application, whose queries need one of its keys from then on. It is kept nowhere: what is lost is
   * replaced. Throws E_UNKNOWN_APPLICATION.
   */
  async createApiKey(application: string): Promise<string> {
    return ((await this.management.post('/admin/v1/api-keys', { application })) as { key: string }).key;
  }

  /** Takes a key back; without keys, an application answers all. Throws E_UNKNOWN_APPLICATION, E_INVALID_OPTION for what is no key of it. */
  async deleteApiKey(application: string, key: string): Promise<void> {
    await this.management.post('/admin/v1/api-keys/delete', { application, key });
  }

  async getAllApps(): Promise<readonly ApplicationInfo[]> {
    const all = (await this.management.post('/admin/get_all_applications', { verbose: true })) as readonly WireApplication[];
    return all.map(applicationInfo);
  }

  async getAppInfo(name: string): Promise<ApplicationInfo | undefined> {
    const found = (await this.management.post('/admin/get_application', { name })) as Partial<WireApplication>;
    return found.name === undefined ? undefined : applicationInfo(found as WireApplication);
  }

  async getLinkedModels(application: string): Promise<readonly string[]> {
    return (await this.management.post('/admin/get_linked_models', { app_name: application })) as readonly string[];
  }

  /** @internal */
  protected async knownApp(name: string): Promise<ApplicationInfo> {
    const found = await this.getAppInfo(name);
    if (found !== undefined) return found;
    throw new ClipperError('E_UNKNOWN_APPLICATION', `No application with name '${name}' exists`);
  }
}
