import { randomUUID } from 'node:crypto';
import type { ClusterState, Identity, StateStore } from './state-store.ts';

const key = 'cluster';

/** What a cluster's state is told by, of what its store holds; one that has nothing yet gets it. Throws E_STORE_FAILED. */
export async function identityOf(store: StateStore, loaded: Pick<ClusterState, 'identity'>): Promise<Identity> {
  const known = loaded.identity.get(key);
  if (known !== undefined) return known;
  const identity: Identity = { stateId: randomUUID(), rpcPort: 0 };
  await store.commit([{ table: 'identity', key, value: identity }]);
  return identity;
}

/** Keeps the port that replicas were given. Throws E_STORE_FAILED. */
export async function keepRpcPort(store: StateStore, identity: Identity, rpcPort: number): Promise<void> {
  if (identity.rpcPort === rpcPort) return;
  await store.commit([{ table: 'identity', key, value: { ...identity, rpcPort } }]);
}
