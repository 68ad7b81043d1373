import { randomUUID } from 'node:crypto';
import { chownSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEndpoint } from '../../src/index.ts';
import { startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { eventually, isAlive, quiet, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

quietConsole();

const userDir = `clipper-ts-${process.getuid?.()}`;
const newName = (): string => `named-${randomUUID().slice(0, 8)}`;

test('a second server of a name is refused, and told of the first', async () => {
  const name = newName();
  await using first = await startedCluster({ name });
  const { pid } = first.cluster ?? {};
  const refused = { code: 'E_CLUSTER_EXISTS', message: expect.stringMatching(new RegExp(`'${name}'.*process ${pid}, since 20`)) };
  await expect(startedCluster({ name })).rejects.toMatchObject(refused);
  await expect(startCluster({ name })).rejects.toMatchObject(refused);
  await expect(startedCluster({ name })).rejects.toThrow(`connectClipper({ managementUrl: '${first.managementUrl}' })`);
  expect(await first.getAllApps()).toEqual([]);
});

test('of several that start at once, one gets the name', async () => {
  const name = newName();
  const started = await Promise.allSettled(Array.from({ length: 3 }, () => startedCluster({ name })));
  const refusals = started.flatMap((each) => (each.status === 'rejected' ? [each.reason.code] : []));
  expect(refusals).toEqual(['E_CLUSTER_EXISTS', 'E_CLUSTER_EXISTS']);
  for (const each of started) if (each.status === 'fulfilled') await each.value.close();
});

test('the name of a server that was killed, and its folder, are free', async () => {
  await using dir = await temporaryDir();
  const options = { name: newName(), stateDir: dir.path };
  const first = await startedCluster(options);
  const { pid = 0 } = first.cluster ?? {};
  process.kill(pid, 'SIGKILL');
  await eventually(() => !isAlive(pid));
  await using second = await startedCluster(options);
  expect(await second.getAllApps()).toEqual([]);
});

test('a server that is ending is waited for', async () => {
  const name = newName();
  const first = await startedCluster({ name });
  const { pid = 0 } = first.cluster ?? {};
  const predictOne = () => new Promise((resolve) => setTimeout(resolve, 2_000));
  await createEndpoint(first, { ...quiet, name: 'slow', inputType: 'doubles', predictOne });
  const asked = first.predict('slow', [1]).catch(() => {});
  await eventually(async () =>
    /clipper_batches_in_flight\{[^}]*\} 1/.test(await (await fetch(`${first.queryUrl}/metrics`)).text()),
  );
  const closed = first.close();
  await using second = await startedCluster({ name });
  expect(second.cluster?.name).toBe(name);
  // It lets go of its name as the last thing it does.
  await eventually(() => !isAlive(pid));
  await Promise.all([closed, asked]);
});

test('a folder is one server’s alone', async () => {
  await using dir = await temporaryDir();
  const first = await startedCluster({ stateDir: dir.path });
  await expect(startedCluster({ stateDir: dir.path })).rejects.toMatchObject({
    code: 'E_CLUSTER_EXISTS',
    message: expect.stringMatching(`${dir.path} is used by the server of the cluster '${first.cluster?.name}'`),
  });
  expect(await first.getAllApps()).toEqual([]);
  await first.close();
  await (await startedCluster({ stateDir: dir.path })).close();
});

test('only the user can read of a cluster, and it is gone with it', async () => {
  const name = newName();
  const file = join(tmpdir(), userDir, 'clusters', `${name}.json`);
  const clipper = await startedCluster({ name });
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ name, managementUrl: clipper.managementUrl });
  expect([file, join(tmpdir(), userDir)].map((path) => statSync(path).mode & 0o777)).toEqual([0o600, 0o700]);
  await clipper.close();
  expect(() => statSync(file)).toThrow('ENOENT');
});

const isRoot = process.getuid?.() === 0;
function ofAnother(path: string): void {
  mkdirSync(path);
  chownSync(path, 65_534, 65_534);
}

describe('where the folder of running clusters could be someone else’s', () => {
  const before = process.env.TMPDIR;
  afterEach(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });

  test.each([
    ['a link', (path: string) => symlinkSync(tmpdir(), path)],
    ['a file', (path: string) => writeFileSync(path, '')],
    ...(isRoot ? [['another user’s', ofAnother] as const] : []),
  ] as const)('nothing is started: %s', async (_what, make) => {
    await using dir = await temporaryDir();
    mkdirSync(join(dir.path, 'state'));
    make(join(dir.path, userDir));
    process.env.TMPDIR = dir.path;
    await expect(startedCluster({ stateDir: join(dir.path, 'state') })).rejects.toMatchObject({
      code: 'E_STORE_FAILED',
      message: expect.stringContaining(`${join(dir.path, userDir)}, where running clusters are listed`),
    });
  });
});
