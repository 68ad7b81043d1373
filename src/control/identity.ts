import { randomUUID } from 'node:crypto';
import type { ClusterState, Identity, StateStore } from './state-store.ts';

const key = 'cluster';

/** The identity in a cluster's store; a new store gets one. Throws E_STORE_FAILED. */
export async function identityOf(store: StateStore, loaded: Pick<ClusterState, 'identity'>): Promise<Identity> {
  const known = loaded.identity.get(key);
  if (known !== undefined) return known;
  const identity: Identity = { stateId: randomUUID(), rpcPort: 0 };
  await store.commit([{ table: 'identity', key, value: identity }]);
  return identity;
}

/** Persists the RPC port that replicas connect to. Throws E_STORE_FAILED. */
export async function keepRpcPort(store: StateStore, identity: Identity, rpcPort: number): Promise<void> {
  if (identity.rpcPort === rpcPort) return;
  await store.commit([{ table: 'identity', key, value: { ...identity, rpcPort } }]);
}
