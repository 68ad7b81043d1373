import { createApiKey, deleteApiKey } from '../../contract/applications.ts';
import type { Registry } from '../../control/registry.ts';
import { hashOf, newSecret } from '../../util/secrets.ts';
import type { Api } from '../api.ts';
import { serveCall } from './serve-call.ts';

/** Tells keys from other secrets, for people and for programs that look for leaked ones. */
const prefix = 'clp_';

/** Keys of applications. Only a key's hash is kept: the key is shown once, to whoever asks for it. */
export function addKeyRoutes(api: Api, registry: Registry): void {
  serveCall(api, createApiKey, async ({ application }) => {
    const key = `${prefix}${newSecret()}`;
    await registry.addApiKey(application, hashOf(key));
    return { key };
  });
  serveCall(api, deleteApiKey, async ({ application, key }) => {
    await registry.deleteApiKey(application, hashOf(key));
    return {};
  });
}
