import {
  apply,
  type Change,
  type ClusterState,
  emptyState,
  type StateStore,
  type TableName,
  type Tables,
  tableNames,
} from './state-store.ts';

/** State in memory, for the lifetime of this object. */
export class MemoryStore implements StateStore {
  readonly #state = emptyState();

  async load(): Promise<ClusterState> {
    const loaded = emptyState();
    for (const table of tableNames) {
      const entries = loaded[table] as Map<string, Tables[TableName]>;
      for (const [key, value] of this.#state[table]) entries.set(key, value);
    }
    return loaded;
  }

  async commit(changes: readonly Change[]): Promise<boolean> {
    if (changes.some(({ table, key, isNew }) => isNew === true && this.#state[table].has(key))) return false;
    apply(this.#state, changes);
    return true;
  }

  /** Nothing to follow: the state isn't shared. */
  follow(): void {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
