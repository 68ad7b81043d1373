import { hostname } from 'node:os';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { requireAlone } from './redis-alone.ts';
import { RedisLink } from './redis-link.ts';
import { RedisReplicas } from './redis-replicas.ts';
import type { RedisSession } from './redis-session.ts';
import { commitChanges, differences, type Entries, readEntries, readTables, writeAgain } from './redis-state.ts';
import { databases, nameOf, type RedisTables, sharedNames, tablesOf } from './redis-tables.ts';
import { apply, type Change, type ClusterState, emptyState, type StateStore, type TableName, tableNames } from './state-store.ts';

export interface RedisStoreOptions {
  /** `redis://[[user]:password@]host[:port]`. */
  readonly url: string;
  /** The cluster's name, unique among the servers that share a Redis. */
  readonly cluster: string;
  readonly log: Log;
}

const retryMs = 5_000;
const followed = sharedNames.map((name) => tablesOf('')[name].db);

/** State in Redis, in Clipper's schema. Several of our servers and Clipper's own can share it. */
export class RedisStore implements StateStore {
  readonly replicas: RedisReplicas;
  readonly #link: RedisLink;
  /** Our connection's name. */
  readonly #name: string;
  readonly #tables: RedisTables;
  readonly #log: Log;
  /** A key that exists as long as Redis has kept what this cluster wrote. */
  readonly #mark: string;
  /** The state that the follower was told of or has committed. */
  readonly #known: ClusterState = emptyState();
  /** Changed entries that are yet to be read, by table. */
  readonly #changed = new Map<(typeof sharedNames)[number], Set<string>>();
  #onChange: ((changes: readonly Change[]) => void) | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;
  #isDeaf = false;

  private constructor({ url, cluster, log }: RedisStoreOptions) {
    this.#log = log;
    this.#tables = tablesOf(cluster);
    this.#mark = `server:${cluster}`;
    const onKey = (db: number, key: string): void => this.#keyChanged(db, key);
    this.#name = `clipper-ts:${cluster}`;
    this.#link = new RedisLink({ url, name: this.#name, log, onKey, onUp: () => void this.#catchUp() });
    const batchSizeOf = (model: string): number => this.#known.models.get(model)?.batchSize ?? -1;
    this.replicas = new RedisReplicas({ link: this.#link, cluster, log, batchSizeOf });
  }

  /** Throws E_STORE_FAILED if Redis doesn't answer within 5 s, E_CLUSTER_EXISTS if the cluster's name is taken. */
  static async open(options: RedisStoreOptions): Promise<RedisStore> {
    const store = new RedisStore(options);
    try {
      const outcome = "Start it there, or correct the server's option `state`";
      await store.#link.run(async (session) => {
        await requireAlone(session, store.#name);
        await store.#leaveMark(session);
      }, outcome);
    } catch (error) {
      await store[Symbol.asyncDispose]();
      throw error;
    }
    return store;
  }

  async load(): Promise<ClusterState> {
    apply(this.#known, differences(this.#known, await this.#link.run((session) => this.#read(session, tableNames))));
    const state = emptyState();
    apply(state, differences(state, this.#known));
    return state;
  }

  commit(changes: readonly Change[]): Promise<boolean> {
    return this.#link.run(async (session) => {
      const isDone = await commitChanges(session, { tables: this.#tables, known: this.#known, changes });
      // So that the notification of our own change finds nothing new.
      if (isDone) apply(this.#known, changes);
      return isDone;
    });
  }

  follow(onChange: (changes: readonly Change[]) => void): void {
    this.#onChange = onChange;
    void this.#catchUp();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await this.#link.close();
  }

  /** Subscribes to changes, and reads everything that may have changed while nothing was received. */
  async #catchUp(): Promise<void> {
    if (this.#onChange === undefined || this.#isClosed) return;
    clearTimeout(this.#retry);
    try {
      await this.#link.run(async (session) => {
        const { refused } = { refused: undefined, ...(await this.#link.follow(session, followed)) };
        if (refused !== undefined) this.#warnOfDeafness(refused);
        if ((await session.askOne(databases.own, ['exists', this.#mark])) === 0) await this.#writeAgain(session);
        this.#tell(await this.#read(session, sharedNames));
      });
      this.replicas.show();
    } catch (error) {
      // If the connection was lost, `onUp` calls this again.
      if (this.#isClosed || !this.#link.isUp) return;
      this.#log.warn({ why: messageOf(error) }, `what changed in Redis could not be read; it is tried again in ${retryMs} ms`);
      this.#retry = setTimeout(() => void this.#catchUp(), retryMs);
    }
  }

  #read(session: RedisSession, names: readonly TableName[]): Promise<Entries> {
    return readTables(session, { tables: this.#tables, names, known: this.#known, log: this.#log });
  }

  /** A Redis without persistence comes back empty, and then the servers' memory is the only copy. */
  async #writeAgain(session: RedisSession): Promise<void> {
    this.#log.warn({ redis: this.#link.address }, 'Redis came back without what it held: it is written again');
    await writeAgain(session, this.#tables, this.#known);
    await this.#leaveMark(session);
  }

  async #leaveMark(session: RedisSession): Promise<void> {
    const facts = { hostname: hostname(), pid: String(process.pid), since: new Date().toISOString() };
    await session.askOne(databases.own, ['hset', this.#mark, ...Object.entries(facts).flat()]);
  }

  #keyChanged(db: number, key: string): void {
    const table = sharedNames.find((name) => this.#tables[name].db === db);
    const name = table === undefined ? undefined : nameOf(this.#tables[table], key);
    if (table === undefined || name === undefined) return;
    const isFirst = this.#changed.size === 0;
    const names = this.#changed.get(table) ?? new Set();
    this.#changed.set(table, names.add(name));
    if (isFirst) this.#readChanged();
  }

  /** Reads all entries that have changed by the time the job starts. */
  #readChanged(): void {
    const read = this.#link.run(async (session) => {
      const changed = [...this.#changed];
      this.#changed.clear();
      const entries = await Promise.all(
        changed.map(
          async ([table, names]) => [table, await readEntries(session, this.#tables[table], names, this.#log)] as const,
        ),
      );
      this.#tell(Object.fromEntries(entries) as Entries);
    });
    read.catch(() => {
      this.#changed.clear();
      return this.#catchUp();
    });
  }

  #tell(entries: Entries): void {
    const changes = differences(this.#known, entries);
    if (changes.length === 0) return;
    apply(this.#known, changes);
    this.#onChange?.(changes);
  }

  #warnOfDeafness(refused: string): void {
    if (this.#isDeaf) return;
    this.#isDeaf = true;
    const advice = 'set notify-keyspace-events to AKE in its configuration, or what others change shows only after a restart';
    this.#log.warn({ redis: this.#link.address, refused }, `Redis does not let its notifications be configured: ${advice}`);
  }
}
