import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { ClipperError, messageOf } from '../errors.ts';
import {
  type Change,
  type ClusterState,
  emptyState,
  type StateStore,
  type TableName,
  type Tables,
  tableNames,
} from './state-store.ts';

type Key = [TableName, string];

const settings = {
  encoding: 'json',
  // Acknowledge a commit only when it is on disk.
  overlappingSync: false,
  // With batching, a failed commit rejects a promise that nobody can catch.
  eventTurnBatching: false,
  // More than any cluster's state needs. Unused space takes no disk.
  mapSize: 2 ** 30,
} as const;

/** State in a folder of this machine, in LMDB. A commit is atomic, and on disk when it resolves. */
export class LmdbStore implements StateStore {
  readonly #db: RootDatabase<Tables[TableName], Key>;
  readonly #dir: string;

  private constructor(db: RootDatabase<Tables[TableName], Key>, dir: string) {
    this.#db = db;
    this.#dir = dir;
  }

  /** Opens the store in a folder, and creates the folder if necessary. Throws E_STORE_FAILED. */
  static async open(dir: string): Promise<LmdbStore> {
    try {
      // The state includes replicas' environment variables, which may hold secrets.
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await chmod(dir, 0o700);
      return new LmdbStore(open<Tables[TableName], Key>({ path: join(dir, 'state.mdb'), ...settings }), dir);
    } catch (error) {
      throw failed(dir, 'opened', error);
    }
  }

  async load(): Promise<ClusterState> {
    const state = emptyState();
    try {
      for (const { key, value } of this.#db.getRange()) {
        const [table, name] = key;
        // A later version of this package may have written other tables.
        if (tableNames.includes(table)) (state[table] as Map<string, Tables[TableName]>).set(name, value);
      }
    } catch (error) {
      throw failed(this.#dir, 'read', error);
    }
    return state;
  }

  async commit(changes: readonly Change[]): Promise<boolean> {
    try {
      return await this.#db.transaction(() => {
        const isTaken = ({ table, key, isNew }: Change): boolean => isNew === true && this.#db.doesExist([table, key]);
        if (changes.some(isTaken)) return false;
        for (const { table, key, value } of changes) {
          const written = value === undefined ? this.#db.remove([table, key]) : this.#db.put([table, key], value);
          // The transaction reports the failure.
          written.catch(() => {});
        }
        return true;
      });
    } catch (error) {
      throw failed(this.#dir, 'written', await causeOf(error));
    }
  }

  /** Nothing to follow: only one server uses the folder. */
  follow(): void {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#db.close();
  }
}

/** Why a commit failed: LMDB's error has the cause in a promise. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  return commitError === undefined ? error : commitError.catch((cause: unknown) => cause);
}

const failed = (dir: string, done: string, error: unknown): ClipperError =>
  new ClipperError(
    'E_STORE_FAILED',
    `The cluster's state in ${dir} could not be ${done}: ${messageOf(error)}. Is the disk full?`,
    {
      cause: error,
    },
  );
