import { modelKey } from './names.ts';
import { type Fields, readApplication, readModel, writeApplication, writeModel } from './redis-records.ts';
import type { Request } from './redis-session.ts';
import type { TableName, Tables } from './state-store.ts';

/** How a table is kept in Redis. */
export interface RedisTable<Value> {
  readonly db: number;
  /** What the keys of its entries begin with. */
  readonly prefix: string;
  /** The one key that has all entries as its fields; left out: each entry has a key. */
  readonly hash?: string;
  /** Answered 1 where there is an entry. */
  isThere(key: string, name: string): Request;
  get(key: string, name: string): Request;
  /** Undefined where nothing is there. Throws where that is no such entry. */
  read(reply: unknown, name: string): Value | undefined;
  set(key: string, value: Value, name: string): readonly Request[];
  /** `before`: what is there, as far as is known. */
  remove(key: string, before: Value | undefined, name: string): readonly Request[];
}

export type RedisTables = { readonly [Name in TableName]: RedisTable<Tables[Name]> };

/** Clipper's databases by number, and our own. */
export const databases = { models: 2, replicas: 3, applications: 5, currentVersions: 6, links: 7, own: 8 } as const;

/** What the servers that share a Redis have in common, and tell each other of. */
export const sharedNames = ['applications', 'models', 'currentVersions', 'links'] as const satisfies TableName[];

const exists = (key: string): Request => ['exists', key];
const hashOf = (key: string): Request => ['hgetall', key];
const isEmpty = (hash: Fields): boolean => Object.keys(hash).length === 0;

/** What was there may be of any type and have other fields; once it is deleted, nothing that is set can fail. */
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
  // Clipper's query frontend forgets an application only where it hears of a field that was deleted.
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
  // Clipper's query frontend hears of members that are removed, and of nothing else.
  remove: (key, before = []) => [...(before.length === 0 ? [] : [['srem', key, ...before] as const]), ['del', key]],
};

/** A table of one cluster's own: the fields of one hash, in JSON. */
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

/** The tables of a cluster: Clipper's, in its schema, and of our own what is this cluster's alone: how it runs what it deployed and splits queries, its events, and what it is told by. */
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

/** The entry that a Redis key is of; undefined for a key of something else. */
export const nameOf = ({ prefix }: RedisTable<unknown>, key: string): string | undefined =>
  key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
