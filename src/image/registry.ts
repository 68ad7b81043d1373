import type { RegistryAuth } from '../docker/images.ts';
import { dockerHub, parseReference } from '../docker/reference.ts';
import { type AuthFor, authFor } from '../docker/registry-auth.ts';
import { ClipperError } from '../errors.ts';
import { printShort } from '../util/print.ts';
import { z } from '../util/zod.ts';

/** The registry for images, as `host:port/namespace`, with credentials unless those of `docker login` are used. */
export type RegistryOption =
  | string
  | { readonly address: string; readonly username: string; readonly password: string }
  | { readonly address: string; readonly identityToken: string };

export interface RegistryConfig {
  /** `host:port/namespace`, or a namespace of Docker Hub. */
  readonly address: string;
  readonly auth: RegistryAuth | undefined;
}

const expected =
  "expected 'host:port/namespace' (as 'localhost:5000', 'ghcr.io/team' or 'docker.io/team'), { address, username, password } or { address, identityToken }";

// Not a union of schemas, because its error messages would show the whole value, including the password.
export const registryOption = z
  .custom<RegistryOption>(() => true)
  .transform(parseRegistry)
  .describe('The registry that the image is pushed to, so that other machines can run it.');

/** Parses the option. Throws E_INVALID_OPTION, without showing credentials. */
export function parseRegistry(value: unknown): RegistryConfig {
  if (typeof value === 'string') return { address: checkAddress(value), auth: undefined };
  const { address, ...credentials } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const keys = Object.keys(credentials).sort().join(' ');
  const areStrings = Object.values(credentials).every((each) => typeof each === 'string' && each !== '');
  const isKnown = keys === 'password username' || keys === 'identityToken';
  if (typeof address !== 'string' || !isKnown || !areStrings) throw invalid(describe(value));
  const { username, password, identityToken } = credentials as Record<string, string>;
  const checked = checkAddress(address);
  const serveraddress = parseReference(`${checked}/name`).host;
  const who = identityToken === undefined ? { username, password } : { identitytoken: identityToken };
  return { address: checked, auth: { ...who, serveraddress } as RegistryAuth };
}

/** Shows only an object's keys and types. */
function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null) return printShort(value);
  const parts = Object.entries(value).map(([key, each]) => `${key}: ${each === '' ? 'nothing' : `a ${typeof each}`}`);
  return `{ ${parts.join(', ')} }`;
}

const invalid = (got: string): ClipperError => new ClipperError('E_INVALID_OPTION', `registry: ${expected}; got ${got}`);

const hostPattern = /^(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?)(?::[0-9]+)?$/;
const partPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
/** Leaves room for the model's name: a repository name has at most 255 characters. */
const maxLength = 190;

function checkAddress(address: string): string {
  if (address.includes('@')) throw invalid('an address with "@": credentials are given beside it');
  if (/^https?:\/\//.test(address)) throw invalid(`${printShort(address)}: leave out the scheme, the Docker engine chooses it`);
  const trimmed = address.replace(/\/$/, '');
  const { host } = parseReference(`${trimmed}/name`);
  const [first = '', ...rest] = trimmed.split('/');
  const hasHost = first === host || first === 'index.docker.io';
  const namespace = hasHost ? rest : [first, ...rest];
  const isName = namespace.every((part) => partPattern.test(part)) && (!hasHost || hostPattern.test(first));
  if (!isName || trimmed.length > maxLength) throw invalid(printShort(address));
  if (host === dockerHub && namespace.length === 0) throw invalid(`${printShort(address)}: Docker Hub needs a namespace`);
  return trimmed;
}

/** The name of a model's image in a registry. */
export const modelReference = ({ address }: RegistryConfig, { name, version }: { name: string; version: string }): string =>
  `${address}/${name}:${version}`;

/** Like `authFor`, but with the option's credentials for its own registry. */
export const authWith =
  (registry: RegistryConfig | undefined): AuthFor =>
  (reference) =>
    authFor(reference, registry?.auth);
