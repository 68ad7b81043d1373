import type { ClusterEvent } from '../control/cluster-event.ts';
import { isClipperError } from '../errors.ts';
import type { RestClient } from './rest-client.ts';

export interface EventOptions {
  /** Only events after the one of this number. */
  readonly since?: number;
}

/** The events that a cluster keeps, oldest first: the last thousand. */
export const readEvents = async (management: RestClient, { since = 0 }: EventOptions): Promise<readonly ClusterEvent[]> =>
  (await management.get(`/admin/v1/events?since=${since}`)) as readonly ClusterEvent[];

/** The same, and then each event as it happens, until the signal aborts or the loop over it is left. */
export async function* followEvents(
  management: RestClient,
  { since = 0, signal }: EventOptions & { readonly signal?: AbortSignal },
): AsyncGenerator<ClusterEvent> {
  try {
    for await (const line of management.lines(`/admin/v1/events?follow=true&since=${since}`, signal)) {
      yield JSON.parse(line) as ClusterEvent;
    }
  } catch (error) {
    if (!isClipperError(error) || signal?.aborted !== true) throw error;
  }
}
