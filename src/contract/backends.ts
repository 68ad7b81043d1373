import { z } from '../util/zod.ts';

/** What sets backends apart for everyone who deploys to one or starts one. */
export interface BackendTraits {
  /** What its replicas run. */
  readonly runs: 'bundle' | 'image';
  /** Whether replicas can outlive their server, and then connect to the next one on its RPC port. */
  readonly outlivesServer: boolean;
}

export const backends = {
  /** Child processes of the server. */
  process: { runs: 'bundle', outlivesServer: false },
  /** Containers on a Docker engine. */
  docker: { runs: 'image', outlivesServer: true },
} as const satisfies Record<string, BackendTraits>;

export type BackendName = keyof typeof backends;
export const backendSchema = z.enum(Object.keys(backends) as [BackendName, ...BackendName[]]);
