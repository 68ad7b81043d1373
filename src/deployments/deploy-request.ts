import type { NetworkChoice, Resources, WantedReplicas } from '../contract/deploys.ts';
import type { ServingSettings } from '../contract/serving.ts';
import { servingOf } from '../contract/serving.ts';
import type { DeploymentRecord, ModelVersion } from '../control/state-store.ts';
import type { InputType } from '../protocol/input-types.ts';

export interface DeployRequest extends ServingSettings {
  readonly name: string;
  /** Left out: the next free integer. */
  readonly version?: string | undefined;
  readonly inputType: InputType;
  readonly labels: readonly string[];
  readonly replicas: WantedReplicas;
  readonly env: Readonly<Record<string, string>>;
  readonly resources: Resources;
  readonly network: NetworkChoice;
  /** A bundle in the cluster's store, or the bundle that our image was made from. */
  readonly digest?: string | undefined;
  /** The image to run instead of a bundle. */
  readonly image?: string | undefined;
  /** An input that a replica must answer before the version becomes current. */
  readonly sample?: Uint8Array | undefined;
  /** Whether to make the version the current one. */
  readonly current: boolean;
}

/** The requested version, as the registry keeps it. */
export function modelOf(request: DeployRequest, version: string): ModelVersion {
  const { name, inputType, labels, digest = '', image } = request;
  const containerName = image ?? `clipper-ts/closure:${digest.slice(0, 12)}`;
  return { name, version, inputType, labels, containerName, modelDataPath: digest, ...servingOf(request) };
}

/** How to run the requested version. */
export function deploymentOf(request: DeployRequest, version: string): DeploymentRecord {
  const { name, inputType, digest = '', image, env, resources, network, replicas } = request;
  return { name, version, inputType, digest, image, env, resources, network, replicas };
}

/** How many replicas to start with. At least one for a range, to prove that the version works. */
export const atStart = (wanted: WantedReplicas): number => (typeof wanted === 'number' ? wanted : Math.max(1, wanted.min));

/** How many replicas to have from now on, if there are `now` at present. */
export const within = (wanted: WantedReplicas, now: number): number =>
  typeof wanted === 'number' ? wanted : Math.min(wanted.max, Math.max(1, wanted.min, now));
