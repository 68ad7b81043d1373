import { Certificate } from '../http/certificate.ts';
import { openManagementPort } from '../http/ports/management-port.ts';
import { openQueryPort } from '../http/ports/query-port.ts';
import type { Log } from '../log.ts';
import type { UndoStack } from '../util/undo-stack.ts';
import { clusterServices } from './control.ts';
import type { Parts, ServeOptions } from './parts.ts';
import type { Replicas } from './replicas.ts';

/** The REST ports, and how to begin with what management is for. */
interface OpenPorts {
  readonly queryPort: number;
  readonly managementPort: number;
  /** Has what was wanted of an earlier server run again. */
  readonly resume: () => Promise<void>;
}

/** Opens both REST ports. */
export async function openPorts(
  parts: Parts,
  { token, stop, ...replicas }: Replicas & { readonly token: string | undefined; readonly stop: () => void },
): Promise<OpenPorts> {
  const { options, log, undo, registry, events, metrics, feedback, frontend } = parts;
  const { host, managementHost, maxBodyBytes, maxConnections, headersMs } = options;
  const shared = { registry, events, metrics, feedback, frontend, replicas: () => replicas.rpc.replicas };
  const certificate = await certificateOf(options, log, undo);
  const port = { host, maxBodyBytes, maxConnections, headersMs, certificate, log, undo };
  const queries = await openQueryPort(shared, { ...port, port: options.queryPort });
  const cluster = await clusterServices(parts, { ...replicas, queryPort: queries.queryPort, stop });
  const managementPort = await openManagementPort(
    { ...shared, ...queries, ...cluster },
    { ...port, host: managementHost, port: options.managementPort, token },
  );
  return { queryPort: queries.queryPort, managementPort, resume: cluster.resume };
}

async function certificateOf({ tls }: ServeOptions, log: Log, undo: UndoStack): Promise<Certificate | undefined> {
  if (tls === undefined) return undefined;
  const certificate = await Certificate.load(tls, log);
  undo.push(async () => certificate[Symbol.dispose]());
  return certificate;
}
