import { setTimeout } from 'node:timers/promises';
import { modelKey } from '../control/names.ts';
import type { Registry } from '../control/registry.ts';
import type { DeploymentRecord } from '../control/state-store.ts';
import { isClipperError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Deployments } from './deployments.ts';

/** Processes that boot side by side mostly wait for each other. */
const atOnce = 4;
const retryMs = 2_000;

interface ResumeParts {
  readonly registry: Registry;
  readonly deployments: Deployments;
  readonly log: Log;
}

/** Restarts the replicas that were wanted when the server ended: current versions first, a few at a time. Never rejects. */
export async function resumeAll(parts: ResumeParts, signal: AbortSignal): Promise<void> {
  const { registry } = parts;
  const isCurrent = ({ name, version }: DeploymentRecord): boolean => registry.currentVersion(name) === version;
  // If another server deleted a version, this server still has its deployment.
  const isKnown = ({ name, version }: DeploymentRecord): boolean => registry.model(name, version) !== undefined;
  const wanted = registry.deployments.filter((each) => each.isStopped !== true && each.replicas !== 0 && isKnown(each));
  const waiting = [...wanted.filter(isCurrent), ...wanted.filter((each) => !isCurrent(each))];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await resume(next, parts, signal);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

/** Retries while the backend is away, until the version is stopped or deleted. */
async function resume(deployment: DeploymentRecord, { deployments, log }: ResumeParts, signal: AbortSignal): Promise<void> {
  const { name, version } = deployment;
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    try {
      return await deployments.resume(deployment, signal);
    } catch (error) {
      if (signal.aborted || (isClipperError(error) && error.code === 'E_CANCELLED')) return;
      if (isFirst)
        log.error({ err: error, model: modelKey(name, version) }, `a version could not be resumed: ${messageOf(error)}`);
      if (!isClipperError(error) || !error.retryable) return;
    }
    await setTimeout(retryMs, undefined, { signal, ref: false }).catch(() => {});
  }
}
