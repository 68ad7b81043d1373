import type { ClusterEvent } from '../contract/events.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Change, ClusterState, StateStore } from './state-store.ts';

type NewEvent = Omit<ClusterEvent, 'id' | 'at'>;

const keptEvents = 1_000;
const keyOf = ({ id }: Pick<ClusterEvent, 'id'>): string => String(id).padStart(15, '0');

/** The last thousand events of a cluster: in memory, in its store, and sent to followers. */
export class EventLog {
  readonly #store: StateStore;
  readonly #log: Log;
  readonly #events: ClusterEvent[];
  readonly #followers = new Set<(event: ClusterEvent) => void>();
  #nextId: number;
  #unsaved: Change[] = [];
  #saving: Promise<void> = Promise.resolve();

  private constructor(store: StateStore, log: Log, events: ClusterEvent[]) {
    this.#store = store;
    this.#log = log;
    this.#events = events;
    this.#nextId = (events.at(-1)?.id ?? 0) + 1;
  }

  /** Continues the events in the store. */
  static of(store: StateStore, { events }: Pick<ClusterState, 'events'>, log: Log): EventLog {
    const kept = [...events.values()].sort((one, other) => one.id - other.id);
    return new EventLog(store, log, kept);
  }

  /** Adds an event. It is stored soon after, and once `flush` has resolved. */
  add(event: NewEvent): void {
    const added: ClusterEvent = { id: this.#nextId++, at: new Date().toISOString(), ...event };
    this.#log.info({ event }, event.message);
    this.#events.push(added);
    this.#unsaved.push({ table: 'events', key: keyOf(added), value: added });
    const dropped = this.#events.length > keptEvents ? this.#events.shift() : undefined;
    if (dropped !== undefined) this.#unsaved.push({ table: 'events', key: keyOf(dropped), value: undefined });
    if (this.#unsaved.length <= 2) this.#saving = this.#saving.then(() => this.#save());
    for (const follower of this.#followers) follower(added);
  }

  /** The events after the one with this id, oldest first. */
  since(id: number): readonly ClusterEvent[] {
    return this.#events.filter((event) => event.id > id);
  }

  /** Calls back with each new event, until the returned function is called. */
  follow(follower: (event: ClusterEvent) => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  /** Resolves when all events are stored or storing them has failed. */
  flush(): Promise<void> {
    return this.#saving;
  }

  async #save(): Promise<void> {
    const changes = this.#unsaved;
    this.#unsaved = [];
    if (changes.length === 0) return;
    // A store that fails must not stop the server's work.
    await this.#store.commit(changes).catch((error: unknown) => {
      this.#log.warn({ err: messageOf(error) }, 'events could not be kept');
    });
  }
}
