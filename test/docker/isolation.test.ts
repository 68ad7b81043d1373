import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import Dockerode from 'dockerode';
import type { ClipperConnection } from '../../src/client/connection.ts';
import { createEndpoint, type Endpoint } from '../../src/client/deploy.ts';
import { describeWithDocker } from '../helpers/docker.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';

/** What a replica finds of itself and its machine. */
interface Seen {
  readonly uid: number;
  readonly gid: number;
  readonly writes: Record<string, string>;
  readonly status: Record<string, string>;
  readonly processes: number;
  readonly memoryBytes: number;
  readonly mounts: readonly string[];
  readonly secret: string;
}

async function look(): Promise<Seen> {
  const { readFileSync, writeFileSync } = await import('node:fs');
  const { spawn } = await import('node:child_process');
  const write = (path: string): string => {
    try {
      writeFileSync(path, 'x');
      return 'written';
    } catch (error) {
      return String((error as { code?: string }).code);
    }
  };
  const first = (...paths: string[]): string => {
    for (const path of paths) {
      try {
        return readFileSync(path, 'utf8').trim();
      } catch {}
    }
    return '';
  };
  const lines = readFileSync('/proc/self/status', 'utf8').split('\n');
  const children = [];
  let started = 0;
  for (let count = 0; count < 600; count++) {
    const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore', execArgv: [] } as object);
    const isStarted = await new Promise<boolean>((resolve) => {
      child.once('spawn', () => resolve(true)).once('error', () => resolve(false));
    });
    if (!isStarted) break;
    child.kill('SIGSTOP');
    children.push(child);
    started++;
  }
  for (const child of children) child.kill('SIGKILL');
  return {
    uid: process.getuid?.() ?? -1,
    gid: process.getgid?.() ?? -1,
    writes: Object.fromEntries(['/x', '/clipper/x', '/model/x', '/tmp/x', '/dev/shm/x'].map((path) => [path, write(path)])),
    status: Object.fromEntries(lines.map((line) => line.split(/:\s+/) as [string, string])),
    processes: started,
    memoryBytes: Number(first('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes')),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n'),
    secret: process.env.SECRET ?? '',
  };
}

describeWithDocker('a replica in a container', () => {
  const api = new Dockerode();
  const name = `isolated-${randomUUID().slice(0, 8)}`;
  const secret = randomUUID();
  let clipper: ClipperConnection;
  let deployed: Endpoint;
  let seen: Seen;

  beforeAll(async () => {
    clipper = await startedCluster({ backend: 'docker', name });
    const settings = { env: { SECRET: secret }, resources: { memoryMiB: 512 }, sloMicros: 30_000_000, ...quiet };
    deployed = await createEndpoint(clipper, { name: 'look', inputType: 'doubles', predictOne: () => look(), ...settings });
    seen = (await clipper.predict('look', [1])).output as Seen;
  }, 60_000);

  afterAll(() => clipper.close());

  test('is a user without rights', () => {
    expect([seen.uid, seen.gid]).toEqual([65_532, 65_532]);
    const { CapEff, CapPrm, CapBnd, NoNewPrivs, Seccomp } = seen.status;
    const none = '0000000000000000';
    expect({ CapEff, CapPrm, CapBnd, NoNewPrivs, Seccomp }).toEqual({
      CapEff: none,
      CapPrm: none,
      CapBnd: none,
      NoNewPrivs: '1',
      Seccomp: '2',
    });
  });

  test('writes only to its own /tmp', () => {
    expect(seen.writes).toMatchObject({ '/x': 'EROFS', '/clipper/x': 'EROFS', '/model/x': 'EROFS', '/tmp/x': 'written' });
  });

  test('has no more processes and memory than it may', () => {
    expect(seen.processes).toBeGreaterThan(10);
    expect(seen.processes).toBeLessThan(512);
    expect(seen.memoryBytes).toBe(512 * 2 ** 20);
  });

  test('has nothing of its host mounted but the three files that name hosts', () => {
    const ofDisks = seen.mounts.flatMap((line) => {
      const [, , , root = '', path = ''] = line.split(' ');
      const [type = ''] = line.split(' - ')[1]?.split(' ') ?? [];
      return ['proc', 'sysfs', 'cgroup', 'cgroup2', 'tmpfs', 'devpts', 'mqueue', 'overlay'].includes(type) ? [] : [[path, root]];
    });
    const paths = ofDisks.map(([path]) => path).filter((path) => path !== '/sbin/docker-init');
    expect(paths.sort()).toEqual(['/etc/hostname', '/etc/hosts', '/etc/resolv.conf']);
    expect(JSON.stringify(seen.mounts)).not.toContain('docker.sock');
  });

  test("has its variables, which its image doesn't", async () => {
    expect(seen.secret).toBe(secret);
    const image = api.getImage(deployed.image ?? '');
    expect(JSON.stringify([await image.inspect(), await image.history()])).not.toContain(secret);
  });
});

/** Listens, or tells whether an address of the form `host:port` is reached. */
async function talk(what: string): Promise<string> {
  const { connect, createServer } = await import('node:net');
  return new Promise((resolve) => {
    if (what === 'listen') {
      const server = createServer((socket) => socket.end());
      server.listen(0, () => resolve(String((server.address() as AddressInfo).port)));
      return;
    }
    const [host = '', port] = what.split(':');
    const socket = connect({ host, port: Number(port), timeout: 1_000 });
    socket.once('connect', () => resolve('reached'));
    socket.once('error', () => resolve('not reached'));
    socket.once('timeout', () => resolve('not reached'));
  });
}

/** The address of the container that holds a network, which is its replicas' too. */
async function addressIn(network: string): Promise<string> {
  const { Containers = {} } = (await new Dockerode().getNetwork(network).inspect()) as Dockerode.NetworkInspectInfo;
  return Object.values(Containers)[0]?.IPv4Address.split('/')[0] ?? '';
}

describeWithDocker('the network of a replica', () => {
  test('leads to this machine, or with "none" to no other container and machine', async () => {
    const name = `network-${randomUUID().slice(0, 8)}`;
    const named = Object.entries(networkInterfaces()).filter(([device]) => !device.startsWith('br-'));
    const all = named.flatMap(([, addresses]) => addresses ?? []);
    const own = all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '';
    const listener = createServer((socket) => socket.end()).listen(0, '0.0.0.0');
    await once(listener, 'listening');
    await using clipper = await startedCluster({ backend: 'docker', name });
    try {
      const settings = { inputType: 'strings', predictOne: talk, sloMicros: 10_000_000, ...quiet } as const;
      await Promise.all([
        createEndpoint(clipper, { name: 'open', ...settings }),
        createEndpoint(clipper, { name: 'closed', network: 'none', ...settings }),
      ]);
      const ask = async (endpoint: string, what: string) => (await clipper.predict(endpoint, what)).output as string;
      const fellow = `${await addressIn(`clipper-${name}`)}:${await ask('open', 'listen')}`;
      expect(await ask('open', `${own}:${(listener.address() as AddressInfo).port}`)).toBe('reached');
      expect(await talk(fellow)).toBe('reached');
      expect(await ask('closed', fellow)).toBe('not reached');
      // Of a network for examples.
      expect(await ask('closed', '198.51.100.1:80')).toBe('not reached');
    } finally {
      listener.close();
    }
  });
});
