import type { BackendTraits } from '../contract/backends.ts';
import type { WantedReplicas } from '../contract/deploys.ts';
import { checkLabel, checkName, checkVersion } from '../control/names.ts';
import type { InputType } from '../protocol/input-types.ts';
import type { z } from '../util/zod.ts';
import { inputBytes } from './input-bytes.ts';
import { isVersionTaken } from './model-build.ts';
import type { replicasShape } from './options.ts';
import type { Progress } from './progress.ts';
import type { Input } from './wire.ts';

type ReplicaOptions = { [Name in keyof typeof replicasShape]: z.output<(typeof replicasShape)[Name]> };

/** A deploy, whatever its replicas run. */
export interface DeployConfig extends Readonly<Omit<ReplicaOptions, 'sample'>> {
  readonly name: string;
  readonly version?: string | number | undefined;
  readonly inputType: InputType;
  readonly sample?: Input | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The options of a deploy that only images have, besides the rest. */
export interface CheckedConfig extends DeployConfig {
  readonly registry?: unknown;
  readonly baseImage?: string;
}

/** What the replicas of a version run. */
export type Artifact =
  | { readonly kind: 'bundle'; readonly digest: string; readonly dir: string }
  /** An image on the engine that replicas run on. `digest` is of the bundle in it; undefined for the user's own image. */
  | { readonly kind: 'image'; readonly digest: string | undefined; readonly image: string; readonly id: string }
  /** An image in a registry, by its digest. */
  | { readonly kind: 'pushedImage'; readonly digest: string; readonly image: string };

/** What a deploy returns as `image`. */
export const imageOf = (artifact: Artifact): { readonly image?: string } =>
  artifact.kind === 'bundle' ? {} : { image: artifact.kind === 'image' ? artifact.id : artifact.image };

/** A model version that serves. */
export interface Deployment {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of its bundle; of the image if that is the user's own. */
  readonly digest: string;
  /** The image that its containers were started from. */
  readonly image?: string;
  /** As asked for. */
  readonly replicas: WantedReplicas;
}

/** What a target answers about the version that it started. */
export interface Started {
  readonly version: string;
  readonly digest: string;
}

export interface StartParts {
  readonly config: DeployConfig;
  /** Undefined: the target takes the next free one. */
  readonly version: string | undefined;
  readonly progress: Progress;
}

/** Where models are deployed to: a server of ours, or this process for a server that starts no replicas. */
export interface DeployTarget {
  readonly runs: BackendTraits['runs'];
  /** Names the images that are made for it. */
  readonly imageOwner: string;
  /** Whether it finds the next version itself when it starts one. */
  readonly assignsVersions: boolean;
  /** Throws E_INVALID_OPTION for options that it does not have. */
  check(config: CheckedConfig): void;
  /** The folder of bundles. Throws E_REMOTE_BUNDLE if that is on another machine. */
  storeDir(): Promise<string>;
  /** Throws E_REMOTE_BUNDLE if it does not run the images of an engine. */
  checkEngine(engine: { readonly id: string; readonly address: string }): void;
  nextVersion(name: string, signal: AbortSignal | undefined): Promise<string>;
  /** Starts replicas of an artifact, and makes the version current if wanted. Leaves nothing behind if it fails. */
  start(artifact: Artifact, parts: StartParts): Promise<Started>;
}

/** Checks everything that can be checked before the work begins. Throws E_INVALID_OPTION, E_INVALID_INPUT. */
export function checkDeploy({ name, version, labels, inputType, sample }: DeployConfig): void {
  checkName(name, 'model name');
  if (version !== undefined) checkVersion(version);
  labels.forEach(checkLabel);
  if (sample !== undefined) inputBytes(inputType, sample);
}

const maxRaces = 10;

/**
 * Deploys what must know its version beforehand, such as an image: the version asked for, or the next free one. Tries the
 * next one if another deploy takes it first.
 */
export async function withVersion<T>(
  target: DeployTarget,
  { name, version, signal }: DeployConfig,
  deploy: (version: string) => Promise<T>,
): Promise<T> {
  if (version !== undefined) return deploy(checkVersion(version));
  for (let race = 1; ; race++) {
    const next = await target.nextVersion(name, signal);
    try {
      return await deploy(next);
    } catch (error) {
      if (!isVersionTaken(error) || race === maxRaces) throw error;
    }
  }
}

export const printCount = (replicas: number): string => `${replicas} replica${replicas === 1 ? '' : 's'}`;
