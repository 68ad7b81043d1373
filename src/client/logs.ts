import { getLogs as getLogsCall } from '../contract/logs.ts';
import { isClipperError } from '../errors.ts';
import * as own from '../replicas/replica-logs.ts';
import type { ClientRunReplicas } from './client-run-replicas.ts';
import type { RestClient } from './rest-client.ts';

/** The last lines of replicas: the connection's own, or the server's. */
export async function getLogs(
  management: RestClient,
  replicas: ClientRunReplicas | undefined,
  selection: own.LogSelection,
): Promise<readonly string[]> {
  if (replicas !== undefined) return own.readLogs(await replicas.logged(), selection);
  return management.call(getLogsCall, selection);
}

/** The same, then each line as it is written, until the signal aborts or the loop ends. */
export async function* followLogs(
  management: RestClient,
  replicas: ClientRunReplicas | undefined,
  { signal, ...selection }: own.LogSelection & { readonly signal: AbortSignal | undefined },
): AsyncGenerator<string> {
  if (replicas !== undefined) {
    const given = signal ?? new AbortController().signal;
    return yield* own.followLogs(await replicas.logged(), { ...selection, signal: given });
  }
  const given = Object.entries(selection).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams({ ...Object.fromEntries(given), follow: 'true' });
  try {
    yield* management.lines(`${getLogsCall.path}?${query}`, signal);
  } catch (error) {
    if (!isClipperError(error) || signal?.aborted !== true) throw error;
  }
}
