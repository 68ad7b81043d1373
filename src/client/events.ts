import { ClusterEvent, getEvents } from '../contract/events.ts';
import { isClipperError } from '../errors.ts';
import { resolveOptions } from '../util/options.ts';
import { z } from '../util/zod.ts';
import { checkAnswer, type RestClient } from './rest-client.ts';

const EventOptions = z.strictObject({
  since: z.number().int().nonnegative().default(0).describe('Only events after the one of this number.'),
});
const FollowOptions = EventOptions.extend({
  signal: z.instanceof(AbortSignal).optional().describe('Ends the following.'),
});
/** Which events to read. */
export type EventOptions = z.input<typeof EventOptions>;
/** Which events to follow, and until when. */
export type FollowOptions = z.input<typeof FollowOptions>;

/** The last thousand events of a cluster, oldest first. Throws E_INVALID_OPTION. */
export async function readEvents(management: RestClient, options: EventOptions): Promise<readonly ClusterEvent[]> {
  const { since } = resolveOptions(EventOptions, options, 'getEvents');
  return management.read(getEvents, { since: String(since) });
}

/** The same, then each event as it happens, until the signal aborts or the loop ends. Throws E_INVALID_OPTION. */
export async function* followEvents(management: RestClient, options: FollowOptions): AsyncGenerator<ClusterEvent> {
  const { since, signal } = resolveOptions(FollowOptions, options, 'followEvents');
  try {
    for await (const line of management.lines(`${getEvents.path}?follow=true&since=${since}`, signal)) {
      yield checkAnswer(ClusterEvent, JSON.parse(line), management.url);
    }
  } catch (error) {
    if (!isClipperError(error) || signal?.aborted !== true) throw error;
  }
}
