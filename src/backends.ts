import type { BackendName } from './contract/backends.ts';
import type { Log } from './log.ts';
import type { InstanceBackend } from './replicas/backend.ts';
import { DockerBackend } from './replicas/docker/docker-backend.ts';
import { ProcessBackend } from './replicas/process/process-backend.ts';

export interface BackendOptions {
  /** The cluster's name. */
  readonly cluster: string;
  /** Tells the cluster's state from others: replicas that an earlier server of it left are adopted. */
  readonly stateId?: string | undefined;
  /** The folder of the replicas' own folders and logs. */
  readonly dir: string;
  readonly rpcPort: number;
  /** Where processes find the RPC server. */
  readonly rpcHost: string;
  /** Where containers find it, unless it is on this machine. */
  readonly remoteRpcHost?: string | undefined;
  /** Whether the server understands what we add to Clipper's RPC. Default: true. */
  readonly extensions?: boolean;
  /** The server's public key, if RPC is encrypted. */
  readonly serverKey?: string | undefined;
  /** Makes the RPC server also listen on an address of this machine. */
  readonly listenOn: (address: string) => Promise<void>;
  readonly log: Log;
}

const openers: Readonly<Record<BackendName, (options: BackendOptions) => Promise<InstanceBackend>>> = {
  process: async (options) => new ProcessBackend(options),
  docker: ({ rpcHost: _, remoteRpcHost, stateId, ...options }) =>
    DockerBackend.open({
      ...options,
      ...(stateId === undefined ? {} : { stateId }),
      ...(remoteRpcHost === undefined ? {} : { rpcHost: remoteRpcHost }),
    }),
};

/** Opens the backend of a name. */
export const openBackend = (name: BackendName, options: BackendOptions): Promise<InstanceBackend> => openers[name](options);
