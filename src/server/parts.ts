import type { BackendName } from '../contract/backends.ts';
import type { EventLog } from '../control/event-log.ts';
import type { Registry } from '../control/registry.ts';
import type { StateStore } from '../control/state-store.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { RpcSecurity } from '../rpc/curve.ts';
import type { Feedback } from '../serving/feedback.ts';
import type { QueryFrontend } from '../serving/query-frontend.ts';
import type { TlsOptions } from '../util/pem.ts';
import type { UndoStack } from '../util/undo-stack.ts';

export interface ServeOptions {
  readonly name: string;
  readonly backend: BackendName;
  /** The address for queries and RPC. */
  readonly host: string;
  readonly managementHost: string;
  /** The token of management; left out: none on a loopback address, else a generated one. */
  readonly token?: string | undefined;
  readonly queryPort: number;
  readonly managementPort: number;
  readonly rpcPort: number;
  /** Left out: none. */
  readonly rpcSecurity?: RpcSecurity | undefined;
  readonly stateDir: string;
  /** Whether to remove `stateDir`, with the cluster's state, at the end. Default: no. */
  readonly removeStateDir?: boolean;
  /** The URL of a Redis for the cluster's state; left out: it is kept in `stateDir`. */
  readonly state?: string | undefined;
  /** For both REST ports; left out: plain HTTP. */
  readonly tls?: TlsOptions | undefined;
  readonly cacheBytes: number;
  readonly maxBodyBytes: number;
  /** Simultaneous connections on each REST port. */
  readonly maxConnections: number;
  /** How long a client may take to send a request's headers. Default: 15 s. */
  readonly headersMs?: number | undefined;
}

/** What the parts of a server share while it is put together. */
export interface Parts {
  readonly options: ServeOptions;
  readonly log: Log;
  readonly undo: UndoStack;
  readonly state: StateStore;
  readonly registry: Registry;
  readonly events: EventLog;
  readonly metrics: Metrics;
  readonly frontend: QueryFrontend;
  readonly feedback: Feedback;
}
