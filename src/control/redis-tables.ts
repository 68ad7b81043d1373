import { modelKey } from './names.ts';
import { type Fields, readApplication, readModel, writeApplication, writeModel } from './redis-records.ts';
import type { Request } from './redis-session.ts';
import type { TableName, Tables } from './state-store.ts';

/** How a table is stored in Redis. */
export interface RedisTable<Value> {
  readonly db: number;
  /** The prefix of its entries' keys. */
  readonly prefix: string;
  /** The key of a hash with one field per entry; left out: each entry has its own key. */
  readonly hash?: string;
  /** The reply is 1 if the entry exists. */
  isThere(key: string, name: string): Request;
  get(key: string, name: string): Request;
  /** Undefined if there is no entry. Throws if the reply is not an entry of this table. */
  read(reply: unknown, name: string): Value | undefined;
  set(key: string, value: Value, name: string): readonly Request[];
  /** `before`: the last known value. */
  remove(key: string, before: Value | undefined, name: string): readonly Request[];
}

export type RedisTables = { readonly [Name in TableName]: RedisTable<Tables[Name]> };

/** Database numbers: Clipper's, and our own. */
export const databases = { models: 2, replicas: 3, applications: 5, currentVersions: 6, links: 7, own: 8 } as const;

/** The tables that servers with the same Redis share, and follow changes of. */
export const sharedNames = ['applications', 'models', 'currentVersions', 'links'] as const satisfies TableName[];

const exists = (key: string): Request => ['exists', key];
const hashOf = (key: string): Request => ['hgetall', key];
const isEmpty = (hash: Fields): boolean => Object.keys(hash).length === 0;

/** Deletes first: the old key may be of any type and have other fields, and `hset` can't fail on a new key. */
const setHash = (key: string, fields: Fields): readonly Request[] => [
  ['del', key],
  ['hset', key, ...Object.entries(fields).flat()],
];

const applications: RedisTable<Tables['applications']> = {
  db: databases.applications,
  prefix: '',
  isThere: exists,
  get: hashOf,
  read: (reply, name) => (isEmpty(reply as Fields) ? undefined : readApplication(name, reply as Fields)),
  set: (key, application) => setHash(key, writeApplication(application)),
  // Clipper's query frontend drops an application only if it sees a field being deleted.
  remove: (key) => [
    ['hdel', key, 'input_type'],
    ['del', key],
  ],
};

const models: RedisTable<Tables['models']> = {
  db: databases.models,
  prefix: '',
  isThere: (key) => ['hexists', key, 'valid'],
  get: hashOf,
  read: (reply, name) => {
    if ((reply as Fields).valid === undefined) return undefined;
    const model = readModel(reply as Fields);
    if (modelKey(model.name, model.version) !== name) throw new Error('its name and version are not those of its key');
    return model;
  },
  set: (key, model) => setHash(key, writeModel(model)),
  remove: (key) => [['hdel', key, 'valid']],
};

const currentVersions: RedisTable<Tables['currentVersions']> = {
  db: databases.currentVersions,
  prefix: 'CURRENT_MODEL_VERSION:',
  isThere: exists,
  get: (key) => ['get', key],
  read: (reply) => (reply as string | null) ?? undefined,
  set: (key, version) => [['set', key, version]],
  remove: (key) => [['del', key]],
};

const links: RedisTable<Tables['links']> = {
  db: databases.links,
  prefix: '',
  isThere: exists,
  get: (key) => ['smembers', key],
  read: (reply) => ((reply as string[]).length === 0 ? undefined : (reply as string[]).sort()),
  set: (key, linked) => [['del', key], ...(linked.length === 0 ? [] : [['sadd', key, ...linked] as const])],
  // Clipper's query frontend reacts only to members being removed.
  remove: (key, before = []) => [...(before.length === 0 ? [] : [['srem', key, ...before] as const]), ['del', key]],
};

/** A table of a single cluster: a hash with JSON fields. */
const ownTable = <Value>(name: string, cluster: string): RedisTable<Value> => ({
  db: databases.own,
  prefix: '',
  hash: `${name}:${cluster}`,
  isThere: (key, field) => ['hexists', key, field],
  get: (key, field) => ['hget', key, field],
  read: (reply) => (reply === null ? undefined : (JSON.parse(reply as string) as Value)),
  set: (key, value, field) => [['hset', key, field, JSON.stringify(value)]],
  remove: (key, _before, field) => [['hdel', key, field]],
});

/**
 * A cluster's tables: the shared ones in Clipper's schema; then its own, which hold how it runs its deployments and splits
 * queries, its events, and its identity.
 */
export const tablesOf = (cluster: string): RedisTables => ({
  applications,
  models,
  currentVersions,
  links,
  deployments: ownTable('deployments', cluster),
  traffic: ownTable('traffic', cluster),
  events: ownTable('events', cluster),
  identity: ownTable('identity', cluster),
});

/** The Redis key of an entry. */
export const keyOf = ({ hash, prefix }: RedisTable<unknown>, name: string): string => hash ?? `${prefix}${name}`;

/** The entry that a Redis key belongs to; undefined if it belongs to another table. */
export const nameOf = ({ prefix }: RedisTable<unknown>, key: string): string | undefined =>
  key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
