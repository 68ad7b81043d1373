import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import Dockerode from 'dockerode';
import { createEndpoint } from '../../src/client/deploy.ts';
import { connectClipper } from '../../src/client/start.ts';
import { labels } from '../../src/docker/labels.ts';
import { ownIdentity } from '../../src/docker/owner.ts';
import { packageDir } from '../../src/util/package-files.ts';
import { describeWithDocker } from '../helpers/docker.ts';
import { nothing, thingsOf } from '../helpers/main-engine.ts';
import { eventually, isAlive, quiet, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

const program = `
  const { startClipper, createEndpoint } = require(${JSON.stringify(packageDir)});
  const [name, mode] = process.argv.slice(1);
  const ports = { queryPort: 0, managementPort: 0, rpcPort: 0 };
  startClipper({ name, backend: 'docker', ...ports, detached: mode === 'detached' }).then(async (clipper) => {
    const settings = { name: 'm', inputType: 'doubles', onProgress() {} };
    await createEndpoint(clipper, { ...settings, predict: (inputs) => inputs.map(() => process.getuid()) });
    const { output } = await clipper.predict('m', [1]);
    console.log(JSON.stringify({ output, server: clipper.cluster.pid, dir: clipper.cluster.storeDir, management: clipper.managementUrl }));
  });
`;

const children: ChildProcess[] = [];

/** A cluster with a replica, of another process. */
async function started(name: string, mode = 'attached', env = process.env) {
  const child = spawn(process.execPath, ['-e', program, name, mode], { stdio: ['ignore', 'pipe', 'inherit'], env });
  children.push(child);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const told = JSON.parse(line.toString()) as { output: number; server: number; dir: string; management: string };
  expect(told.output).toBe(65_532);
  return { child, ...told };
}

const named = (what: string): string => `${what}-${randomUUID().slice(0, 8)}`;

const counts = async (name: string): Promise<readonly number[]> => {
  const { containers, networks, images } = await thingsOf(name);
  return [containers.length, networks.length, images.length];
};

describeWithDocker('what a server leaves on an engine', () => {
  const api = new Dockerode();

  afterEach(() => {
    for (const child of children.splice(0)) child.kill();
  });

  test('is nothing, when the process that started it is killed', async () => {
    const name = named('parent');
    const { child, server, dir } = await started(name);
    expect(await counts(name)).toEqual([1, 1, 1]);
    child.kill('SIGKILL');
    await eventually(() => !isAlive(server) && !existsSync(dir));
    expect(await thingsOf(name)).toEqual(nothing);
  });

  test('is what it starts replicas of again, when it was detached and stopAll ends it', async () => {
    await using home = await temporaryDir();
    const name = named('detached');
    const { child, server, management } = await started(name, 'detached', { ...process.env, XDG_STATE_HOME: home.path });
    if (child.exitCode === null) await once(child, 'exit');
    const clipper = await connectClipper({ managementUrl: management });
    expect((await clipper.predict('m', [1])).output).toBe(65_532);
    await clipper.stopAll();
    await eventually(() => !isAlive(server));
    const { images, ...rest } = await thingsOf(name);
    expect({ ...rest, images: [] }).toEqual(nothing);
    expect(images).toEqual([expect.stringContaining(`clipper-ts/${name}/m:1-`)]);
    await api.getImage(images[0] ?? '').remove();
  });

  test.each([100, 250, 350, 450, 600])('is nothing, when its start is cancelled after %s ms', async (ms) => {
    const name = named('cancelled');
    const outcome = await startedCluster({ name, backend: 'docker', signal: AbortSignal.timeout(ms) }).then(
      // It may have been faster.
      async (clipper) => clipper.close(),
      ({ code }: { code: string }) => code,
    );
    expect(['E_CANCELLED', undefined]).toContain(outcome);
    expect(await thingsOf(name)).toEqual(nothing);
  });

  test('when it is killed is swept by the next, and nothing of a cluster that lives', async () => {
    const [dead, other, living] = [named('dead'), named('other'), named('living')];
    const [first, second, third] = await Promise.all([started(dead), started(other), started(living)]);
    const before = await thingsOf(living);
    expect([await counts(dead), await counts(other)]).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
    // From here on, any cluster that starts on this engine sweeps them.
    for (const { server, child } of [first, second]) {
      process.kill(server, 'SIGKILL');
      child.kill('SIGKILL');
    }
    await eventually(() => ![first, second].some(({ server }) => isAlive(server)));
    await using again = await startedCluster({ backend: 'docker', name: dead });
    expect([await counts(dead), await counts(other)]).toEqual([
      [0, 1, 0],
      [0, 0, 0],
    ]);
    const predictOne = ([x = 0]: Float64Array) => x + 1;
    await createEndpoint(again, { name: 'm', inputType: 'doubles', predictOne, ...quiet });
    expect((await again.predict('m', [1])).output).toBe(2);
    const ids = ({ containers }: typeof before) => containers.map(({ Id, State }) => [Id, State]);
    expect(ids(await thingsOf(living))).toEqual(ids(before));
    const clipper = await connectClipper({ managementUrl: third.management });
    expect((await clipper.predict('m', [2])).output).toBe(65_532);
    third.child.kill();
    await eventually(() => !isAlive(third.server));
    expect(await thingsOf(living)).toEqual(nothing);
  });

  test('is not there for another cluster of the same name, while it lives', async () => {
    const name = named('taken');
    await using first = await startedCluster({ backend: 'docker', name });
    const predictOne = ([x = 0]: Float64Array) => x + 1;
    await createEndpoint(first, { name: 'm', inputType: 'doubles', predictOne, ...quiet });
    const before = await counts(name);
    await expect(startedCluster({ backend: 'docker', name })).rejects.toMatchObject({
      code: 'E_CLUSTER_EXISTS',
      message: expect.stringMatching(new RegExp(`${name}.*Fix: connectClipper`, 's')),
    });
    expect(await counts(name)).toEqual(before);
    expect((await first.predict('m', [1])).output).toBe(2);
  });

  test('is known as dead though its process number is used again, or its machine was started anew', async () => {
    const name = named('reused');
    const own = ownIdentity();
    // Clock ticks since the system started, when this process did.
    const ownStart = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)?.split(' ')[19] ?? '';
    expect(own.split('/')[2]).toBe(ownStart);
    const ofServer = (server: string) => ({ [labels.cluster]: name, [labels.server]: server });
    await api.createNetwork({ Name: `${name}-then`, Labels: ofServer(own.replace(`/${ownStart}/`, '/1/')) });
    const [host, pid, start, space] = own.split('/');
    // As it would be after the machine was started anew.
    const before = [host, pid, start, '000000000000', '111111111111'].join('/');
    await api.createNetwork({ Name: `${name}-before`, Labels: ofServer(before) });
    const elsewhere = await api.createNetwork({
      Name: `${name}-elsewhere`,
      Labels: ofServer(['other', pid, start, space].join('/')),
    });
    const living = await api.createNetwork({ Name: `${name}-now`, Labels: ofServer(own) });
    try {
      await (await startedCluster({ backend: 'docker', name: named('sweeping') })).close();
      expect((await thingsOf(name)).networks).toEqual([`${name}-elsewhere`, `${name}-now`]);
    } finally {
      await elsewhere.remove();
      await living.remove();
    }
  });
});
