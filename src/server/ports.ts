import { hostname } from 'node:os';
import type { ClusterInfo } from '../contract/cluster.ts';
import { Certificate } from '../http/certificate.ts';
import { openManagementPort } from '../http/ports/management-port.ts';
import { openQueryPort } from '../http/ports/query-port.ts';
import type { Log } from '../log.ts';
import type { UndoStack } from '../util/undo-stack.ts';
import { type Control, storeDirOf } from './control.ts';
import type { Parts, ServeOptions } from './parts.ts';
import type { Replicas } from './replicas.ts';

/** The open REST ports. */
interface OpenPorts {
  readonly queryPort: number;
  readonly managementPort: number;
}

interface PortParts extends Replicas, Pick<Control, 'deployments'> {
  readonly token: string | undefined;
  /** Called when a client asks the server to end. */
  readonly stop: () => void;
  readonly forget: (application: string) => Promise<void>;
}

/** Opens both REST ports. Throws E_PORT_IN_USE. */
export async function openPorts(parts: Parts, { token, ...control }: PortParts): Promise<OpenPorts> {
  const { options, log, undo, registry, events, metrics, feedback, frontend } = parts;
  const { host, managementHost, maxBodyBytes, maxConnections, headersMs } = options;
  const shared = { registry, events, metrics, feedback, frontend, replicas: () => control.rpc.replicas };
  const certificate = await certificateOf(options, log, undo);
  const port = { host, maxBodyBytes, maxConnections, headersMs, certificate, log, undo };
  const queries = await openQueryPort(shared, { ...port, port: options.queryPort });
  const info = infoOf(options, control, queries.queryPort);
  const managementPort = await openManagementPort(
    { ...shared, ...queries, ...control, info, replicas: shared.replicas },
    { ...port, host: managementHost, port: options.managementPort, token },
  );
  return { queryPort: queries.queryPort, managementPort };
}

function infoOf(options: ServeOptions, { rpc, backend }: Replicas, queryPort: number): ClusterInfo {
  const { name, backend: backendName } = options;
  return {
    ...{ name, backend: backendName, pid: process.pid, hostname: hostname(), storeDir: storeDirOf(options) },
    ...{ queryPort, rpcPort: rpc.port },
    ...(backend.engineId === undefined ? {} : { engineId: backend.engineId }),
    ...(rpc.serverKey === undefined ? {} : { rpcServerKey: rpc.serverKey }),
  };
}

async function certificateOf({ tls }: ServeOptions, log: Log, undo: UndoStack): Promise<Certificate | undefined> {
  if (tls === undefined) return undefined;
  const certificate = await Certificate.load(tls, log);
  undo.push(async () => certificate[Symbol.dispose]());
  return certificate;
}
