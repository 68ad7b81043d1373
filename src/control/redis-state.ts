import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { RedisSession, Request } from './redis-session.ts';
import { select } from './redis-session.ts';
import { databases, keyOf, nameOf, type RedisTable, type RedisTables } from './redis-tables.ts';
import { type Change, type ClusterState, type TableName, type Tables, tableNames } from './state-store.ts';

/** Entries by table, as read from Redis; undefined for those that don't exist. Unreadable ones are left out. */
export type Entries = { readonly [Name in TableName]?: ReadonlyMap<string, Tables[Name] | undefined> };

type AnyTable = RedisTable<unknown>;

/** How often to retry a transaction that others interfere with. */
const maxTries = 100;

/** Reads tables from Redis. Known entries that no longer exist there are undefined. Throws E_STORE_FAILED. */
export async function readTables(
  session: RedisSession,
  { tables, names, known, log }: { tables: RedisTables; names: readonly TableName[]; known: ClusterState; log: Log },
): Promise<Entries> {
  const entries: Partial<Record<TableName, ReadonlyMap<string, unknown>>> = {};
  for (const name of names) {
    const listed = await listEntries(session, tables[name]);
    entries[name] = await readEntries(session, tables[name], new Set([...listed, ...known[name].keys()]), log);
  }
  return entries as Entries;
}

async function listEntries(session: RedisSession, table: AnyTable): Promise<readonly string[]> {
  if (table.hash !== undefined) return (await session.askOne(table.db, ['hkeys', table.hash])) as string[];
  const keys = await scan(session, table.db);
  return keys.map((key) => nameOf(table, key)).filter((name) => name !== undefined);
}

/** All keys of a database, read in pages so that other clients don't wait for long. Throws E_STORE_FAILED. */
export async function scan(session: RedisSession, db: number): Promise<readonly string[]> {
  const keys = new Set<string>();
  let cursor = '0';
  do {
    const page = (await session.askOne(db, ['scan', cursor, 'count', '1000'])) as [string, string[]];
    cursor = page[0];
    for (const key of page[1]) keys.add(key);
  } while (cursor !== '0');
  return [...keys];
}

/** Throws E_STORE_FAILED. */
export async function readEntries(
  session: RedisSession,
  table: AnyTable,
  names: Iterable<string>,
  log: Log,
): Promise<ReadonlyMap<string, unknown>> {
  const wanted = [...names];
  const replies = await session.ask(
    table.db,
    wanted.map((name) => table.get(keyOf(table, name), name)),
  );
  const entries = new Map<string, unknown>();
  for (const [index, name] of wanted.entries()) {
    const reply = replies[index] ?? { refused: 'no answer' };
    try {
      if ('refused' in reply) throw new Error(reply.refused);
      entries.set(name, table.read(reply.value, name));
    } catch (error) {
      const what = { db: table.db, key: keyOf(table, name), why: messageOf(error) };
      log.warn(what, 'a record in Redis that can not be read is left alone');
    }
  }
  return entries;
}

/** The changes that turn the known state into what Redis has. */
export function differences(known: ClusterState, entries: Entries): readonly Change[] {
  const changes: Change[] = [];
  for (const table of tableNames) {
    for (const [key, value] of entries[table] ?? []) {
      const before = known[table].get(key);
      if (isSame(before, value)) continue;
      // A version that differs was deleted and added again.
      if (table === 'models' && before !== undefined && value !== undefined) changes.push({ table, key, value: undefined });
      changes.push({ table, key, value } as Change);
    }
  }
  return changes;
}

/** A missing property equals an undefined one. */
const isSame = (one: unknown, other: unknown): boolean => isDeepStrictEqual(plain(one), plain(other));

const plain = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

/** Applies all changes or none. Returns false if the key of a change with `isNew` exists. Throws E_STORE_FAILED. */
export async function commitChanges(
  session: RedisSession,
  { tables, known, changes }: { tables: RedisTables; known: ClusterState; changes: readonly Change[] },
): Promise<boolean> {
  const requests = changes.flatMap((change) => [select(tables[change.table].db), ...requestsOf(tables, known, change)]);
  for (let tries = 0; tries < maxTries; tries++) {
    if (await isTaken(session, tables, changes)) {
      await session.ask(databases.own, [['unwatch']]);
      return false;
    }
    if (await session.transact(requests)) return true;
  }
  throw session.failed(`others changed the same ${maxTries} times meanwhile`);
}

function requestsOf(tables: RedisTables, known: ClusterState, { table, key: name, value }: Change): readonly Request[] {
  const schema: AnyTable = tables[table];
  const key = keyOf(schema, name);
  return value === undefined ? schema.remove(key, known[table].get(name), name) : schema.set(key, value, name);
}

/** Whether the key of a change with `isNew` exists. If not, the keys are watched, so the transaction fails if one appears. */
async function isTaken(session: RedisSession, tables: RedisTables, changes: readonly Change[]): Promise<boolean> {
  for (const { table, key: name, isNew } of changes) {
    if (isNew !== true) continue;
    const schema = tables[table];
    const key = keyOf(schema, name);
    const [, answer = { value: 0 }] = await session.ask(schema.db, [['watch', key], schema.isThere(key, name)]);
    // A key of an unexpected type counts as taken.
    if ('refused' in answer || answer.value === 1) return true;
  }
  return false;
}

/** Writes the known entries that Redis doesn't have. Throws E_STORE_FAILED. */
export async function writeAgain(session: RedisSession, tables: RedisTables, known: ClusterState): Promise<void> {
  for (const table of tableNames) {
    for (const [key, value] of known[table]) {
      await commitChanges(session, { tables, known, changes: [{ table, key, value, isNew: true } as Change] });
    }
  }
}
