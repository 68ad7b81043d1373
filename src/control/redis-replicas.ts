import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { modelKey } from './names.ts';
import type { RedisLink } from './redis-link.ts';
import { type RedisSession, select } from './redis-session.ts';
import { scan } from './redis-state.ts';
import { databases } from './redis-tables.ts';
import type { ConnectedReplica, ReplicaList } from './state-store.ts';

const { replicas: db } = databases;

export interface RedisReplicasOptions {
  readonly link: RedisLink;
  readonly cluster: string;
  readonly log: Log;
  /** The largest batch of a model version (`name:version`), or -1. */
  readonly batchSizeOf: (model: string) => number;
}

/**
 * Publishes the replicas connected to this server where Clipper keeps its own. The additional field `server` marks this
 * cluster's replicas, so that the server can remove what it left when it died, and nothing else.
 */
export class RedisReplicas implements ReplicaList {
  readonly #link: RedisLink;
  readonly #cluster: string;
  readonly #log: Log;
  readonly #batchSizeOf: RedisReplicasOptions['batchSizeOf'];
  /** Each with its key, once it is written. */
  readonly #connected = new Map<ConnectedReplica, string | undefined>();
  #isWaiting = false;

  constructor({ link, cluster, log, batchSizeOf }: RedisReplicasOptions) {
    this.#link = link;
    this.#cluster = cluster;
    this.#log = log;
    this.#batchSizeOf = batchSizeOf;
  }

  connected(replica: ConnectedReplica): void {
    this.#connected.set(replica, undefined);
    this.show();
  }

  gone(replica: ConnectedReplica): void {
    this.#connected.delete(replica);
    this.show();
  }

  /**
   * Schedules an update of Redis to the connected replicas. Does nothing while Redis is away: the update follows when it is
   * back.
   */
  show(): void {
    if (this.#isWaiting || !this.#link.isUp) return;
    this.#isWaiting = true;
    const shown = this.#link.run((session) => {
      this.#isWaiting = false;
      return this.#reconcile(session);
    });
    shown.catch((error: unknown) => {
      this.#isWaiting = false;
      this.#log.warn({ why: messageOf(error) }, 'the connected replicas could not be shown in Redis');
    });
  }

  async #reconcile(session: RedisSession): Promise<void> {
    const keys = await scan(session, db);
    const servers = await session.ask(
      db,
      keys.map((key) => ['hget', key, 'server']),
    );
    const ours = new Set(
      keys.filter((_, index) => {
        const server = servers[index];
        return server !== undefined && 'value' in server && server.value === this.#cluster;
      }),
    );
    const kept = new Set(this.#connected.values());
    const left = [...ours].filter((key) => !kept.has(key));
    if (left.length > 0) await session.ask(db, [['del', ...left]]);
    const taken = new Set(keys.filter((key) => !left.includes(key)));
    for (const [replica, key] of this.#connected) {
      if (key === undefined || !ours.has(key)) await this.#write(session, replica, taken);
    }
  }

  /** Writes a replica under its own id, or under the next free one if another server has a replica with that id. */
  async #write(session: RedisSession, replica: ConnectedReplica, taken: Set<string>): Promise<void> {
    for (let id = replica.replicaId; ; id++) {
      const key = `${replica.modelName},${replica.modelVersion},${id}`;
      if (taken.has(key)) continue;
      taken.add(key);
      const [, isThere = { value: 0 }] = await session.ask(db, [
        ['watch', key],
        ['exists', key],
      ]);
      if (!('value' in isThere) || isThere.value === 1) continue;
      const fields = Object.entries(this.#fieldsOf(replica, id)).flat();
      if (!(await session.transact([select(db), ['hset', key, ...fields]]))) continue;
      // If it has disconnected in the meantime, the next update removes the key.
      if (this.#connected.has(replica)) this.#connected.set(replica, key);
      return;
    }
  }

  #fieldsOf({ modelName, modelVersion, inputType }: ConnectedReplica, id: number): Record<string, string> {
    const model = modelKey(modelName, modelVersion);
    return {
      model_id: model,
      model_name: modelName,
      model_version: modelVersion,
      model_replica_id: String(id),
      zmq_connection_id: String(id),
      batch_size: String(this.#batchSizeOf(model)),
      input_type: inputType,
      server: this.#cluster,
    };
  }
}
