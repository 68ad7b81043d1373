import { pino } from 'pino';
import type { RpcReplica } from '../../src/rpc/rpc-replica.ts';
import { RpcServer } from '../../src/rpc/rpc-server.ts';
import { until } from './until.ts';

export interface LogLine {
  readonly level: number;
  readonly msg: string;
}

/** A real RPC server on loopback that remembers what it reported. */
export interface ObservedRpcServer extends AsyncDisposable {
  readonly server: RpcServer;
  readonly port: number;
  readonly log: readonly LogLine[];
  readonly connected: readonly RpcReplica[];
  readonly lost: readonly RpcReplica[];
  /** The replica that connects as the nth, counting from 0. */
  replica(index?: number): Promise<RpcReplica>;
}

export async function listenForReplicas(port = 0): Promise<ObservedRpcServer> {
  const log: LogLine[] = [];
  const connected: RpcReplica[] = [];
  const lost: RpcReplica[] = [];
  const server = await RpcServer.listen({
    host: '127.0.0.1',
    port,
    log: pino({ level: 'debug' }, { write: (line) => log.push(JSON.parse(line) as LogLine) }),
    onConnected: (replica) => connected.push(replica),
    onLost: (replica) => lost.push(replica),
  });
  return {
    server,
    port: server.port,
    log,
    connected,
    lost,
    replica: (index = 0) => until(() => connected[index], `replica ${index}`),
    [Symbol.asyncDispose]: () => server.close(),
  };
}
