import type { deploy, WantedReplicas } from '../contract/deploys.ts';
import { servingOf } from '../contract/serving.ts';
import type { DeploymentRecord, ModelVersion } from '../control/state-store.ts';
import type { z } from '../util/zod.ts';

/** A deploy as the contract has it, with the sample's bytes: an input that a replica must answer before the version is current. */
export type DeployRequest = Readonly<Omit<z.output<typeof deploy.body>, 'sampleBase64'>> & {
  readonly sample?: Uint8Array | undefined;
};

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
