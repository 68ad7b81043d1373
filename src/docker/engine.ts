import type Dockerode from 'dockerode';
import { ClipperError, type ErrorCode } from '../errors.ts';
import { engineAddress } from './docker-config.ts';
import { engineError, hasReason, statusOf } from './docker-errors.ts';

/** Facts about an engine. */
export interface EngineFacts {
  /** The address, as a user would write it. */
  readonly address: string;
  /** The engine's id, which doesn't depend on the address. */
  readonly id: string;
  readonly version: string;
  readonly os: string;
  /** Docker's name where it has one, such as amd64. */
  readonly arch: string;
  /** Whether an image can be loaded without the layers that the engine already has. Not with containerd's image store. */
  readonly takesThinImages: boolean;
  /** Whether it runs without root, in a network of its own. */
  readonly isRootless: boolean;
  readonly memoryBytes: number;
  readonly cpus: number;
}

/** The first version with `host-gateway`: Docker 20.10. */
const oldestApi = [1, 41] as const;
const answerMs = 10_000;

/** A connection to a Docker engine. */
export class DockerEngine {
  readonly facts: EngineFacts;
  readonly #api: Dockerode;

  private constructor(api: Dockerode, facts: EngineFacts) {
    this.#api = api;
    this.facts = facts;
  }

  /** Connects to the engine that the user's Docker CLI uses. Throws E_DOCKER_UNAVAILABLE, with a fix. */
  static async connect(): Promise<DockerEngine> {
    const host = await engineAddress();
    let address = host ?? 'its standard address';
    try {
      const api = await openApi(host);
      address = host ?? `unix://${await socketOf(api)}`;
      const [version, info] = await introduced(api, address);
      checkVersion(version, address);
      return new DockerEngine(api, factsOf(info, version, address));
    } catch (error) {
      throw engineError(error, `The Docker engine at ${address} can't be used`, 'E_DOCKER_UNAVAILABLE', address);
    }
  }

  /**
   * Sends a request to the engine. Failures are thrown with `code`, unless the engine is unavailable.
   * @internal
   */
  async ask<T>(what: string, code: ErrorCode, question: (api: Dockerode) => Promise<T>): Promise<T> {
    try {
      return await question(this.#api);
    } catch (error) {
      throw engineError(error, what, code, this.facts.address);
    }
  }

  /**
   * Sends a request about something that may not exist. Undefined if it doesn't.
   * @internal
   */
  async find<T>(what: string, question: (api: Dockerode) => Promise<T>): Promise<T | undefined> {
    return this.ask<T | undefined>(what, 'E_DOCKER_REFUSED', async (api) => {
      try {
        return await question(api);
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    });
  }
}

interface EngineVersion {
  readonly Version: string;
  readonly ApiVersion: string;
}

interface EngineInfo {
  readonly ID: string;
  readonly OSType: string;
  readonly Architecture: string;
  readonly DriverStatus?: readonly (readonly [string, string])[] | null;
  readonly SecurityOptions?: readonly string[] | null;
  readonly MemTotal: number;
  readonly NCPU: number;
}

/** Loaded on demand, because most programs that import this package don't use Docker. */
async function openApi(host: string | undefined): Promise<Dockerode> {
  const { default: Api } = await import('dockerode');
  if (host === undefined || process.env.DOCKER_HOST) return new Api();
  const unix = /^(?:unix|npipe):\/\/(.*)$/.exec(host)?.[1];
  if (unix !== undefined) return new Api({ socketPath: unix });
  const { protocol, hostname, port, username } = new URL(host);
  if (protocol !== 'ssh:') {
    return new Api({ host: hostname, port: Number(port) || 2375, protocol: port === '2376' ? 'https' : 'http' });
  }
  const sshOptions = { agent: process.env.SSH_AUTH_SOCK };
  return new Api({ host: hostname, port: Number(port) || 22, protocol: 'ssh', username, sshOptions } as object);
}

async function socketOf(api: Dockerode): Promise<string> {
  const modem = api.modem as unknown as { getSocketPath(): Promise<string> | undefined };
  return (await modem.getSocketPath()) ?? '';
}

/** dockerode's types lack the signal. */
interface EngineRequest {
  version(options: { abortSignal: AbortSignal }): Promise<Partial<EngineVersion>>;
  info(options: { abortSignal: AbortSignal }): Promise<Partial<EngineInfo>>;
}

/** The engine's facts. Throws E_DOCKER_UNAVAILABLE if there is no answer, or if it isn't from a Docker engine. */
async function introduced(api: Dockerode, address: string): Promise<readonly [EngineVersion, EngineInfo]> {
  const asked = api as unknown as EngineRequest;
  const abortSignal = AbortSignal.timeout(answerMs);
  try {
    const [version, info] = await Promise.all([asked.version({ abortSignal }), asked.info({ abortSignal })]);
    if (typeof version.ApiVersion === 'string' && typeof info.ID === 'string')
      return [version as EngineVersion, info as EngineInfo];
  } catch (error) {
    if (abortSignal.aborted) throw unavailable(`What is at ${address} did not answer within ${answerMs / 1_000} s`, error);
    if (statusOf(error) === undefined || hasReason(error)) throw error;
  }
  throw unavailable(`The server at ${address} is not a Docker engine`);
}

const unavailable = (what: string, cause?: unknown): ClipperError =>
  new ClipperError('E_DOCKER_UNAVAILABLE', what, {
    fix: "start or restart Docker there, or set DOCKER_HOST to where it is; the backend 'process' needs none",
    cause,
  });

function checkVersion({ Version, ApiVersion }: EngineVersion, address: string): void {
  const [major = 0, minor = 0] = ApiVersion.split('.').map(Number);
  const [oldestMajor, oldestMinor] = oldestApi;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  const message = `The Docker engine at ${address} is version ${Version} (API ${ApiVersion}), and 20.10 (API 1.41) or newer is needed`;
  throw new ClipperError('E_DOCKER_UNAVAILABLE', message, { fix: "update it, or use the backend 'process'" });
}

/** Docker's names of architectures that the engine reports with the kernel's name. */
const archNames: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

const factsOf = (info: EngineInfo, version: EngineVersion, address: string): EngineFacts => ({
  address,
  id: info.ID,
  version: version.Version,
  os: info.OSType,
  arch: archNames[info.Architecture] ?? info.Architecture,
  takesThinImages: !(info.DriverStatus ?? []).some(([, value]) => value.includes('containerd.snapshotter')),
  isRootless: (info.SecurityOptions ?? []).some((option) => option.includes('rootless')),
  memoryBytes: info.MemTotal,
  cpus: info.NCPU,
});
