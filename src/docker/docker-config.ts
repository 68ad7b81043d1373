import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ClipperError, messageOf } from '../errors.ts';

/** The parts of the Docker CLI's configuration that we read. */
export interface DockerConfig {
  readonly currentContext?: string;
  readonly auths?: Readonly<Record<string, { readonly auth?: string; readonly identitytoken?: string }>>;
  /** Credential helpers by registry, and the default one. */
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

const configDir = (): string => process.env.DOCKER_CONFIG ?? join(homedir(), '.docker');

/** The user's Docker CLI configuration; empty if there is none. Throws E_INVALID_OPTION if it is malformed. */
export async function readDockerConfig(): Promise<DockerConfig> {
  const file = join(configDir(), 'config.json');
  const text = await readFile(file, 'utf8').catch(() => '{}');
  try {
    return JSON.parse(text) as DockerConfig;
  } catch (error) {
    throw new ClipperError('E_INVALID_OPTION', `Docker's configuration ${file} is not JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * The address of the engine that the Docker CLI would use: DOCKER_HOST, else the current context's. Undefined for the
 * system's default.
 */
export async function engineAddress(): Promise<string | undefined> {
  const { DOCKER_HOST: host } = process.env;
  if (host) return checkAddress(host);
  const context = process.env.DOCKER_CONTEXT ?? (await readDockerConfig()).currentContext;
  if (context === undefined || context === '' || context === 'default') return undefined;
  const id = createHash('sha256').update(context).digest('hex');
  const file = join(configDir(), 'contexts', 'meta', id, 'meta.json');
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new ClipperError('E_INVALID_OPTION', `The Docker context "${context}" can't be read: ${messageOf(error)}`, {
      cause: error,
    });
  });
  const address = addressIn(text, file);
  // The context's certificates lie in files that only the Docker CLI reads.
  if (!existsSync(join(configDir(), 'contexts', 'tls', id, 'docker'))) return address;
  throw new ClipperError('E_INVALID_OPTION', `The Docker context "${context}" has certificates of its own`, {
    fix: `set DOCKER_HOST=${address}, DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH to their folder`,
  });
}

function addressIn(text: string, file: string): string | undefined {
  try {
    return (JSON.parse(text) as { Endpoints?: { docker?: { Host?: string } } }).Endpoints?.docker?.Host;
  } catch (error) {
    throw new ClipperError('E_INVALID_OPTION', `The Docker context in ${file} is not JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

const addressForm = /^(?:(?:unix|npipe):\/\/|(?:tcp|https?|ssh):\/\/[^/]|[^:/]+(?::\d+)?$)/;

function checkAddress(host: string): string {
  if (addressForm.test(host)) return host;
  const message = `DOCKER_HOST is "${host}", which is not the address of a Docker engine`;
  throw new ClipperError('E_INVALID_OPTION', message, {
    fix: 'unset it, or write it as unix:///var/run/docker.sock, tcp://host:2375 or ssh://user@host',
  });
}
