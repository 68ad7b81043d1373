import { Readable } from 'node:stream';
import { clusterErrors } from '../../contract/errors.ts';
import { getEvents } from '../../contract/events.ts';
import type { EventLog } from '../../control/event-log.ts';
import { resolveOptions } from '../../util/options.ts';
import { z } from '../../util/zod.ts';
import { abandonedSignal } from '../abandoned.ts';
import type { Api } from '../api.ts';

const query = {
  since: z.coerce.number().int().nonnegative().default(0).describe('Only events after the one of this number.'),
  follow: z.stringbool().default(false).describe('Goes on with each event as it happens, one JSON a line.'),
};
const Query = z.strictObject(query);

/** What happened to the cluster: the last thousand events, and those to come. */
export function addEventRoutes(api: Api, events: EventLog): void {
  api.serve(
    {
      method: 'GET',
      path: getEvents.path,
      name: getEvents.name,
      tag: 'Cluster',
      summary: getEvents.summary,
      query,
      answers: { 200: { 'application/json': getEvents.gives, 'application/x-ndjson': z.string() }, ...clusterErrors },
    },
    (request, reply) => {
      const { since, follow } = resolveOptions(Query, request.query, 'events');
      if (!follow) return reply.send(events.since(since));
      const lines = Readable.from(eventLines(events, since, abandonedSignal(reply)));
      return reply.type('application/x-ndjson; charset=utf-8').send(lines);
    },
  );
}

async function* eventLines(events: EventLog, since: number, ended: AbortSignal): AsyncGenerator<string> {
  let told = since;
  let wake = (): void => {};
  const unfollow = events.follow(() => wake());
  ended.addEventListener('abort', () => wake());
  try {
    while (!ended.aborted) {
      const more = events.since(told);
      for (const event of more) yield `${JSON.stringify(event)}\n`;
      told = more.at(-1)?.id ?? told;
      if (more.length > 0) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    unfollow();
  }
}
