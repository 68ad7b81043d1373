import { ClipperError } from '../errors.ts';
import { askCredentialHelper } from './credential-helper.ts';
import { type DockerConfig, readDockerConfig } from './docker-config.ts';
import type { RegistryAuth } from './images.ts';
import { dockerHub, parseReference } from './reference.ts';

/** Finds the credentials for an image's registry. */
export type AuthFor = (reference: string) => Promise<RegistryAuth | undefined>;

/**
 * The credentials for an image's registry: the explicit ones if they are for this registry, else those of `docker login`,
 * also from a credential helper. Undefined if there are none. Throws E_REGISTRY_FAILED, E_INVALID_OPTION.
 */
export async function authFor(reference: string, explicit?: RegistryAuth): Promise<RegistryAuth | undefined> {
  const { host } = parseReference(reference);
  if (explicit !== undefined && isFor(host, explicit)) return { ...explicit, serveraddress: serverOf(host) };
  const config = await readDockerConfig();
  const helper = entryFor(host, config.credHelpers) ?? config.credsStore;
  const helped = helper ? await askCredentialHelper(helper, serverOf(host)) : undefined;
  const found = helped ?? storedIn(config.auths, host);
  return found === undefined ? undefined : { ...found, serveraddress: serverOf(host) };
}

/** Credentials for one registry are never sent to another. */
const isFor = (host: string, { serveraddress }: RegistryAuth): boolean =>
  serveraddress === undefined || hostOfKey(serveraddress) === host;

/** The Docker CLI's name for a registry in its credential store. */
const serverOf = (host: string): string => (host === dockerHub ? 'https://index.docker.io/v1/' : host);

function entryFor<T>(host: string, entries: Readonly<Record<string, T>> = {}): T | undefined {
  return entries[serverOf(host)] ?? Object.entries(entries).find(([key]) => hostOfKey(key) === host)?.[1];
}

function hostOfKey(key: string): string {
  const [host = ''] = key.replace(/^https?:\/\//, '').split('/');
  return host === 'index.docker.io' ? dockerHub : host;
}

function storedIn(auths: DockerConfig['auths'], host: string): RegistryAuth | undefined {
  const { auth, identitytoken } = entryFor(host, auths) ?? {};
  const named = auth ? decoded(auth, host) : undefined;
  if (!identitytoken) return named;
  return { ...(named?.username ? { username: named.username } : {}), identitytoken };
}

function decoded(auth: string, host: string): RegistryAuth {
  const text = Buffer.from(auth, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon > 0) return { username: text.slice(0, colon), password: text.slice(colon + 1) };
  const message = `The credentials for the registry ${host} in Docker's configuration can't be read`;
  throw new ClipperError('E_INVALID_OPTION', message, { fix: `\`docker login ${host}\` writes them again` });
}
