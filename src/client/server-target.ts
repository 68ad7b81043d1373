import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { backends } from '../contract/backends.ts';
import type { ClusterInfo } from '../contract/cluster.ts';
import { deploy, nextVersion } from '../contract/deploys.ts';
import { servingOf } from '../contract/serving.ts';
import { checkVersion } from '../control/names.ts';
import { ClipperError } from '../errors.ts';
import {
  type Artifact,
  type CheckedConfig,
  type DeployTarget,
  printCount,
  type Started,
  type StartParts,
} from './deploy-target.ts';
import { inputBytes } from './input-bytes.ts';
import { cancelledIf } from './progress.ts';
import type { RestClient } from './rest-client.ts';

/** A server, ours or Berkeley's. */
export interface Server {
  readonly management: RestClient;
  /** Undefined for one that isn't ours. */
  readonly cluster: ClusterInfo | undefined;
}

/** Deploys to a server of ours, which starts the replicas. */
export class ServerTarget implements DeployTarget {
  readonly assignsVersions = true;
  readonly cluster: ClusterInfo;
  readonly #management: RestClient;

  /** Throws E_REMOTE_BUNDLE for a server that isn't ours. */
  constructor({ management, cluster }: Server) {
    if (cluster === undefined) throw notOurs(management.url);
    this.#management = management;
    this.cluster = cluster;
  }

  get runs(): DeployTarget['runs'] {
    return backends[this.cluster.backend].runs;
  }

  get imageOwner(): string {
    return this.cluster.name;
  }

  check({ registry, baseImage = 'auto' }: CheckedConfig): void {
    if (this.runs === 'image') return;
    const asked = [...(registry === undefined ? [] : ['registry']), ...(baseImage === 'auto' ? [] : ['baseImage'])];
    if (asked.length === 0) return;
    const message = `The cluster runs its replicas as processes, which have no ${asked.join(', ')}`;
    const fix = "startClipper({ backend: 'docker' }), or clipper.buildModel for an image";
    throw new ClipperError('E_INVALID_OPTION', message, { fix });
  }

  async storeDir(): Promise<string> {
    const { storeDir, hostname: host } = this.cluster;
    if (host === hostname() && existsSync(storeDir)) return storeDir;
    const message = 'A function can be deployed to a cluster of processes on this machine only';
    throw new ClipperError('E_REMOTE_BUNDLE', `${message}, and ${this.#management.url} is on another`);
  }

  checkEngine({ id, address }: { readonly id: string; readonly address: string }): void {
    const { engineId, name } = this.cluster;
    if (engineId === id) return;
    const message = `The cluster '${name}' runs its containers on another Docker engine than the one at ${address}`;
    throw new ClipperError('E_REMOTE_BUNDLE', message, {
      fix: "give a registry that both reach, as registry: 'host:port/namespace'",
    });
  }

  async nextVersion(name: string, signal: AbortSignal | undefined): Promise<string> {
    return (await this.#management.call(nextVersion, { name }, signal)).version;
  }

  async start(artifact: Artifact, { config, version: known, progress }: StartParts): Promise<Started> {
    const { name, inputType, labels, replicas, env, resources, network, sample, current, signal } = config;
    const version = known ?? config.version;
    progress.report('start', `starting ${printCount(typeof replicas === 'number' ? replicas : Math.max(1, replicas.min))}`);
    const started = await this.#management
      .call(
        deploy,
        {
          ...{ name, inputType, labels, ...servingOf(config), replicas, env, resources, network, current },
          ...(artifact.digest === undefined ? {} : { digest: artifact.digest }),
          ...(artifact.kind === 'bundle' ? {} : { image: artifact.image }),
          ...(version === undefined ? {} : { version: checkVersion(version) }),
          ...(sample === undefined ? {} : { sampleBase64: Buffer.from(inputBytes(inputType, sample)).toString('base64') }),
        },
        signal,
      )
      .catch((error: unknown) => {
        cancelledIf(signal, name);
        throw error;
      });
    progress.report('ready', `version ${started.version} is ${current ? 'serving' : 'ready'}`);
    return started;
  }
}

function notOurs(url: string): ClipperError {
  const fix =
    "connectClipper({ managementUrl, queryUrl, rpcAddress: 'host:7000' }) runs them from here, or start containers by hand and " +
    'make the model known with registerModel';
  return new ClipperError('E_REMOTE_BUNDLE', `Only a clipper-ts server starts replicas, and ${url} is not one`, { fix });
}
