import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { connectClipper } from '../../src/client/start.ts';
import { packageDir } from '../../src/util/package-files.ts';
import { eventually, isAlive, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

describe('startClipper', () => {
  test('starts a server that others can connect to, and ends it with the connection', async () => {
    const clipper = await startedCluster();
    const { pid = 0, storeDir = '' } = clipper.cluster ?? {};
    const other = await connectClipper({ managementPort: Number(new URL(clipper.managementUrl).port) });
    expect([other.queryUrl, other.cluster]).toEqual([clipper.queryUrl, clipper.cluster]);
    await other.close();
    expect(await clipper.getAllApps()).toEqual([]);
    await clipper.close();
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(dirname(storeDir))).toBe(false);
    await expect(connectClipper({ managementUrl: clipper.managementUrl })).rejects.toMatchObject({
      code: 'E_SERVER_UNREACHABLE',
    });
  });

  test.each(['queryPort', 'managementPort', 'rpcPort'] as const)('names the option of a busy %s', async (option) => {
    const busy = createServer().listen(0, '127.0.0.1');
    await once(busy, 'listening');
    const { port } = busy.address() as AddressInfo;
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('clipper-ts-busy'));
    try {
      await expect(startedCluster({ name: 'busy', [option]: port })).rejects.toMatchObject({
        code: 'E_PORT_IN_USE',
        message: expect.stringMatching(new RegExp(`${port}.*${option}`, 's')),
      });
      expect(readdirSync(tmpdir()).filter((name) => name.startsWith('clipper-ts-busy'))).toEqual(before);
    } finally {
      busy.close();
    }
  });

  test('keeps a folder that it was given, with the log', async () => {
    await using dir = await temporaryDir();
    await (await startedCluster({ stateDir: dir.path })).close();
    expect(readdirSync(dir.path)).toEqual(expect.arrayContaining(['bundles', 'server.log']));
  });

  test('that dies at its start gives the end of its log', async () => {
    await using dir = await temporaryDir();
    writeFileSync(join(dir.path, 'bundles'), 'in the way');
    await expect(startedCluster({ stateDir: dir.path })).rejects.toMatchObject({
      code: 'E_SERVER_EXITED',
      message: expect.stringMatching(/ended before it was ready: EEXIST.*end of its log:.*EEXIST/s),
    });
    const nowhere = startedCluster({ stateDir: join(dir.path, 'bundles', 'inside') });
    await expect(nowhere).rejects.toMatchObject({ code: 'E_INVALID_OPTION', message: expect.stringContaining('stateDir') });
  });

  test('is cancelled by its signal', async () => {
    await expect(startedCluster({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'E_CANCELLED' });
    await expect(startedCluster({ name: 'brief', signal: AbortSignal.timeout(30) })).rejects.toMatchObject({
      code: 'E_CANCELLED',
    });
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('clipper-ts-brief'))).toEqual([]);
  });

  test.each([
    [{ port: 1 }, 'port'],
    [{ queryPort: 70_000 }, 'queryPort'],
    [{ backend: 'cloud' }, 'backend'],
    [{ name: 'No Name' }, 'No Name'],
  ])('refuses options %j', async (options, named) => {
    await expect(startedCluster(options as never)).rejects.toMatchObject({
      code: 'E_INVALID_OPTION',
      message: expect.stringContaining(named),
    });
  });
});

const program = `
  const { startClipper, createEndpoint } = require(${JSON.stringify(packageDir)});
  startClipper({ name: process.argv[2] ?? 'test-' + process.pid, queryPort: 0, managementPort: 0, rpcPort: 0, detached: process.argv[1] === 'detached' }).then(async (clipper) => {
    await createEndpoint(clipper, { name: 'pid', inputType: 'doubles', predict: (xs) => xs.map(() => process.pid), onProgress() {} });
    const { output } = await clipper.predict('pid', [1]);
    console.log(JSON.stringify({ server: clipper.cluster.pid, replica: output, dir: clipper.cluster.storeDir, management: clipper.managementUrl }));
  });
`;

async function started(mode: string, { home, name }: { home?: string; name?: string } = {}) {
  const env = home === undefined ? process.env : { ...process.env, XDG_STATE_HOME: home };
  const child = spawn(process.execPath, ['-e', program, mode, ...(name === undefined ? [] : [name])], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const told = JSON.parse(line.toString()) as { server: number; replica: number; dir: string; management: string };
  return { child, ...told };
}

describe('the process that started a server', () => {
  test('takes the server and its replicas along, even when it is killed', async () => {
    const { child, server, replica, dir } = await started('attached');
    expect([isAlive(server), isAlive(replica)]).toEqual([true, true]);
    child.kill('SIGKILL');
    await eventually(() => !isAlive(server) && !isAlive(replica) && !existsSync(dir));
  });

  test('leaves a detached server behind, which stopAll ends, and whose state is kept', async () => {
    await using home = await temporaryDir();
    const kept = { home: home.path, name: `kept-${process.pid}` };
    const { child, server, replica, dir, management } = await started('detached', kept);
    await once(child, 'exit');
    expect([isAlive(server), isAlive(replica)]).toEqual([true, true]);
    const clipper = await connectClipper({ managementUrl: management });
    expect((await clipper.predict('pid', [1])).output).toBe(replica);
    await clipper.stopAll();
    await eventually(() => !isAlive(server) && !isAlive(replica));
    expect(dir).toBe(join(home.path, 'clipper-ts', kept.name, 'bundles'));
    const again = await started('detached', kept);
    const second = await connectClipper({ managementUrl: again.management });
    expect((await second.getAllModels()).map(({ version }) => version)).toEqual(['1', '2']);
    await second.stopAll();
  });

  test('a server that is killed takes its replicas along', async () => {
    const { child, server, replica } = await started('attached');
    process.kill(server, 'SIGKILL');
    await eventually(() => !isAlive(replica));
    child.kill();
  });
});
