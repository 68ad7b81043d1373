import type { ClusterInfo } from '../contract/cluster.ts';
import type { WantedReplicas } from '../contract/deploys.ts';
import { deploy, nextVersion as nextVersionCall } from '../contract/deploys.ts';
import { servingOf } from '../contract/serving.ts';
import { checkLabel, checkName, checkVersion } from '../control/names.ts';
import { ClipperError } from '../errors.ts';
import type { InputType } from '../protocol/input-types.ts';
import type { z } from '../util/zod.ts';
import { inputBytes } from './input-bytes.ts';
import { isVersionTaken } from './model-build.ts';
import type { replicasShape } from './options.ts';
import { cancelledIf, type Progress } from './progress.ts';
import type { RestClient } from './rest-client.ts';
import type { Input } from './wire.ts';

/** A server to deploy to. */
export interface DeployTarget {
  readonly management: RestClient;
  readonly cluster: ClusterInfo | undefined;
}

type ReplicaOptions = { [Name in keyof typeof replicasShape]: z.output<(typeof replicasShape)[Name]> };

/** What is asked of a server, whatever the replicas run. */
export interface DeployConfig extends Readonly<Omit<ReplicaOptions, 'sample'>> {
  readonly name: string;
  readonly version?: string | number | undefined;
  readonly inputType: InputType;
  readonly sample?: Input | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A model version that serves. */
export interface Deployment {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of its bundle, or of the image where that is the user's own. */
  readonly digest: string;
  /** What its containers were started from, where they are containers. */
  readonly image?: string;
  /** As it was asked for. */
  readonly replicas: WantedReplicas;
}

/** What a server says of what it deployed. */
export interface Started {
  readonly version: string;
  readonly digest: string;
}

const maxRaces = 10;

/** The cluster's facts, of a server of ours. Throws E_REMOTE_BUNDLE for Berkeley's. */
export function ownCluster({ cluster, management }: DeployTarget): ClusterInfo {
  if (cluster !== undefined) return cluster;
  const message = `Only a clipper-ts server starts replicas, and ${management.url} is none`;
  throw new ClipperError('E_REMOTE_BUNDLE', message, {
    fix: "connectClipper({ managementUrl, queryUrl, rpcAddress: 'host:7000' }) runs them from here, or start containers by hand and make the model known with registerModel",
  });
}

/** Throws E_REMOTE_BUNDLE where images that are made here are not there for the server's containers. */
export function checkEngine({ engineId, name }: ClusterInfo, { id, address }: { id: string; address: string }): void {
  if (engineId === id) return;
  const message = `The cluster '${name}' runs its containers on another Docker engine than the one at ${address}`;
  throw new ClipperError('E_REMOTE_BUNDLE', message, {
    fix: "give a registry that both reach, as registry: 'host:port/namespace'",
  });
}

/** Checks what can be known to be wrong before any work is done. Throws E_INVALID_OPTION, E_INVALID_INPUT. */
export function checkDeploy({ name, version, labels, inputType, sample }: DeployConfig): void {
  checkName(name, 'model name');
  if (version !== undefined) checkVersion(version);
  labels.forEach(checkLabel);
  if (sample !== undefined) inputBytes(inputType, sample);
}

/** Has a server start replicas of a bundle or an image, and make the version current. */
export async function postDeploy(
  { management }: DeployTarget,
  config: DeployConfig,
  what: { readonly digest?: string; readonly image?: string; readonly version?: string | undefined },
  progress: Progress,
): Promise<Started> {
  const { name, inputType, labels, replicas, env, resources, network, sample, current, signal } = config;
  const count = typeof replicas === 'number' ? replicas : Math.max(1, replicas.min);
  progress.report('start', `starting ${count} replica${count === 1 ? '' : 's'}`);
  const { version = config.version, ...source } = what;
  const body = {
    ...{ name, inputType, labels, ...servingOf(config), replicas, env, resources, network, current, ...source },
    ...(version === undefined ? {} : { version: checkVersion(version) }),
    ...(sample === undefined ? {} : { sampleBase64: Buffer.from(inputBytes(inputType, sample)).toString('base64') }),
  };
  const started = await management.call(deploy, body, signal).catch((error: unknown) => {
    cancelledIf(signal, name);
    throw error;
  });
  progress.report('ready', `version ${started.version} is ${current ? 'serving' : 'ready'}`);
  return started;
}

/** The version that a model's next deploy would get. */
export async function nextVersion(management: RestClient, name: string, signal?: AbortSignal): Promise<string> {
  return (await management.call(nextVersionCall, { name }, signal)).version;
}

/**
 * Deploys what must know its version beforehand, as an image does: the one that was asked for, or the next free one, anew
 * where another deploy takes it first.
 */
export async function withVersion<T>(
  { management }: DeployTarget,
  { name, version, signal }: DeployConfig,
  deploy: (version: string) => Promise<T>,
): Promise<T> {
  if (version !== undefined) return deploy(checkVersion(version));
  for (let race = 1; ; race++) {
    const next = await nextVersion(management, name, signal);
    try {
      return await deploy(next);
    } catch (error) {
      if (!isVersionTaken(error) || race === maxRaces) throw error;
    }
  }
}
