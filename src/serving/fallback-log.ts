import type { EventLog } from '../control/event-log.ts';
import type { Log } from '../log.ts';
import { getOrInsert } from '../util/get-or-insert.ts';
import type { OpenQuery } from './query.ts';

/** Overload is reported at most this often for each model version. */
const shedEventMs = 10_000;

interface Shedding {
  /** Queries shed since the last event. */
  count: number;
  toldAt: number;
}

/** Logs queries that got the default output, and reports overload as an event. */
export class FallbackLog {
  readonly #log: Log;
  readonly #events: EventLog;
  /** By `name:version`. */
  readonly #shedding = new Map<string, Shedding>();

  constructor(log: Log, events: EventLog) {
    this.#log = log;
    this.#events = events;
  }

  add({ queryId, application, model, fallback, timeline, answeredAt }: OpenQuery): void {
    if (fallback === undefined) return;
    const { reason, explanation } = fallback;
    if (this.#log.isLevelEnabled('debug')) {
      const [name, version] = model?.split(':') ?? [];
      const what = { queryId, application: application.name, model: name, version, replica: timeline.replica, reason };
      this.#log.debug(what, explanation);
    }
    if (reason === 'overloaded' && model !== undefined) this.#shed(model, answeredAt, explanation);
  }

  #shed(key: string, now: number, explanation: string): void {
    const shedding = getOrInsert(this.#shedding, key, () => ({ count: 0, toldAt: Number.NEGATIVE_INFINITY }));
    shedding.count++;
    if (now - shedding.toldAt < shedEventMs) return;
    const [model = '', version = ''] = key.split(':');
    const message = `${key} is overloaded and sheds queries, ${shedding.count} since this was told last: ${explanation}`;
    this.#events.add({ kind: 'shed', model, version, message });
    Object.assign(shedding, { count: 0, toldAt: now });
  }
}
