import { setTimeout } from 'node:timers/promises';
import { ClipperError } from '../errors.ts';
import type { Following } from './images.ts';
import type { OnLine } from './progress-lines.ts';
import { type RegistryTask, registryError, registryReason, troubleOf } from './registry-errors.ts';

/** The delay before each retry. */
const delaysMs: readonly number[] = [500, 1_000, 2_000, 4_000];

/**
 * Runs a registry operation, and retries it after transient errors. `attempt` is passed a progress callback. Throws
 * E_REGISTRY_FAILED with the next step, E_CANCELLED.
 */
export async function withRetries<T>(
  task: RegistryTask,
  { onLine, signal }: Following,
  attempt: (onLine: OnLine) => Promise<T>,
): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    let isRetriedByEngine = false;
    try {
      return await attempt((line) => {
        isRetriedByEngine ||= /\bRetrying in \d+ second/.test(line);
        onLine(line);
      });
    } catch (error) {
      const delayMs = delaysMs[attempts - 1];
      // The engine itself retries a layer five times, for most of a minute. Retrying for a few more seconds won't help.
      const isLast = delayMs === undefined || isRetriedByEngine || troubleOf(error) !== 'transient';
      if (isLast) throw registryError(error, task, attempts);
      onLine(`${registryReason(error)}; trying again in ${delayMs / 1_000} s`);
      await pause(delayMs, task, signal);
    }
  }
}

async function pause(delayMs: number, { reference, verb }: RegistryTask, signal: AbortSignal | undefined): Promise<void> {
  try {
    await setTimeout(delayMs, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throw new ClipperError('E_CANCELLED', `The image ${reference} was not ${verb} its registry: it was cancelled`, {
      cause: error,
    });
  }
}
