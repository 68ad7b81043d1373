import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describeWithDocker } from './docker.ts';
import { temporaryDir } from './temporary-dir.ts';
import { until } from './until.ts';

const program = 'docker-registry';

/** Tests that need a registry of their own. Where its program is missing they are skipped, as without Docker. */
export function describeWithRegistry(name: string, tests: () => void): void {
  const isThere = spawnSync(program, ['--version']).status === 0;
  if (isThere || process.env.CLIPPER_TEST_DOCKER === 'required') describeWithDocker(name, tests);
  else describe.skip(`${name} (skipped: ${program} is not installed)`, tests);
}

/** Whom a registry that asks knows; the hash is of the password. */
export const alice = { username: 'alice', password: 'wonderland' } as const;
const htpasswd = 'alice:$2y$04$xxYqSKfKjVIW0Z9HQVnAS.c9TeRj.wzyL604GoC1/TtY3p/jeWzny\n';

export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly address: string;
}

/** Starts a registry on loopback, without TLS. Its process and files go when it is disposed of. */
export async function startRegistry({ asks = false, port }: { asks?: boolean; port?: number } = {}): Promise<TestRegistry> {
  const dir = await temporaryDir();
  const address = `127.0.0.1:${port ?? (await freePort())}`;
  const users = join(dir.path, 'htpasswd');
  await writeFile(users, htpasswd);
  await writeFile(
    join(dir.path, 'config.json'),
    JSON.stringify({
      version: 0.1,
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(dir.path, 'images') } },
      http: { addr: address },
      ...(asks ? { auth: { htpasswd: { realm: 'test', path: users } } } : {}),
    }),
  );
  const server = spawn(program, ['serve', join(dir.path, 'config.json')], { stdio: 'ignore' });
  const dispose = async (): Promise<void> => {
    await ended(server);
    await dir[Symbol.asyncDispose]();
  };
  try {
    await until(
      () =>
        fetch(`http://${address}/v2/`).then(
          () => true,
          () => false,
        ),
      `a registry at ${address}`,
    );
  } catch (error) {
    await dispose();
    throw error;
  }
  return { address, [Symbol.asyncDispose]: dispose };
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined) return;
  const exit = once(server, 'exit');
  server.kill('SIGKILL');
  await exit;
}

/** What a proxy does with a request: answers with a status, never answers, or passes it on. */
export type Decide = (request: IncomingMessage) => number | 'silence' | 'pass';

/** Starts an HTTP server in front of a registry, that may spoil its answers. */
export async function startProxy(target: string, decide: Decide): Promise<TestRegistry> {
  return startServer((incoming, answer) => {
    const decision = decide(incoming);
    if (decision === 'silence') return;
    if (decision !== 'pass') {
      answer.writeHead(decision).end();
      return;
    }
    const [hostname, port] = target.split(':');
    const { method, url: path, headers } = incoming;
    const passed = request({ hostname, port, method, path, headers, agent: false }, (reply) => {
      answer.writeHead(reply.statusCode ?? 500, reply.headers);
      reply.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    incoming.pipe(passed);
  });
}

/** Starts an HTTP server on a free port of an address of this machine. */
export async function startServer(listener: RequestListener, host = '127.0.0.1'): Promise<TestRegistry> {
  const server = createServer(listener);
  await once(server.listen(0, host), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `${host}:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
