import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Cluster, startCluster } from './cluster.ts';

export interface PlainClipper extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly managementUrl: string;
  readonly queryUrl: string;
  readonly rpcAddress: string;
}

/** A server that has Clipper's own endpoints only: of unknown ones it closes the connection, as Berkeley's does. */
export async function startPlainClipper(options: Parameters<typeof startCluster>[0] = {}): Promise<PlainClipper> {
  const cluster = await startCluster(options);
  const proxy = createServer((asked, answer) => {
    if (asked.url?.startsWith('/admin/v1') === true || asked.url === '/openapi.json') {
      asked.socket.destroy();
      return;
    }
    const { method, headers, url: path } = asked;
    const forwarded = request({ host: '127.0.0.1', port: cluster.managementPort, method, headers, path }, (response) => {
      answer.writeHead(response.statusCode ?? 500, { ...response.headers, 'content-type': 'application/json' });
      response.pipe(answer);
    });
    asked.pipe(forwarded);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    cluster,
    managementUrl: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    queryUrl: `http://127.0.0.1:${cluster.queryPort}`,
    rpcAddress: `127.0.0.1:${cluster.rpcPort}`,
    [Symbol.asyncDispose]: async () => {
      proxy.close();
      proxy.closeAllConnections();
      await cluster[Symbol.asyncDispose]();
    },
  };
}
