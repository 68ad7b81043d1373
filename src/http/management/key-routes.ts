import type { Registry } from '../../control/registry.ts';
import { hashOf, newSecret } from '../../util/secrets.ts';
import { z } from '../../util/zod.ts';
import type { Api } from '../api.ts';
import { post } from './cluster-routes.ts';

/** Tells keys from other secrets, for people and for programs that look for lost ones. */
const prefix = 'clp_';

/** Keys of applications. Of a key only its hash is kept: it is shown once, to who asks for it. */
export function addKeyRoutes(api: Api, registry: Registry): void {
  post(api, 'createApiKey', {
    path: 'api-keys',
    summary: 'Makes a key of an application. Its queries need one from then on.',
    body: z.strictObject({ application: z.string() }),
    gives: z.object({ key: z.string() }),
    answer: async ({ application }) => {
      const key = `${prefix}${newSecret()}`;
      await registry.addApiKey(application, hashOf(key));
      return { key };
    },
  });
  post(api, 'deleteApiKey', {
    path: 'api-keys/delete',
    summary: 'Takes a key of an application back. After the last one its queries need none.',
    body: z.strictObject({ application: z.string(), key: z.string() }),
    gives: z.strictObject({}),
    answer: async ({ application, key }) => {
      await registry.deleteApiKey(application, hashOf(key));
      return {};
    },
  });
}
