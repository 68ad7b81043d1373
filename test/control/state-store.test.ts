import { fork } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LmdbStore } from '../../src/control/lmdb-store.ts';
import { MemoryStore } from '../../src/control/memory-store.ts';
import { RedisStore } from '../../src/control/redis-store.ts';
import {
  type Application,
  type Change,
  type DeploymentRecord,
  type ModelVersion,
  type StateStore,
  tableNames,
} from '../../src/control/state-store.ts';
import { hasRedis, TestRedis } from '../helpers/redis.ts';
import { silentLog } from '../helpers/silent-log.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

const application = (name: string): Application => ({
  name,
  inputType: 'doubles',
  defaultOutput: '"ü\n"',
  latencySloMicros: 20_000,
  cache: false,
});
const model: ModelVersion = {
  name: 'm',
  version: '1',
  inputType: 'doubles',
  labels: ['a', 'b c'],
  containerName: 'c',
  modelDataPath: 'd',
  batchSize: 7,
  batchDelayMicros: 100,
  hedge: true,
  cache: { ttlMicros: 5 },
};
const deployment: DeploymentRecord = {
  name: 'm',
  version: '1',
  inputType: 'doubles',
  digest: 'f'.repeat(64),
  env: { SECRET: 'x y' },
  resources: { cpus: 0.5 },
  network: 'none',
  replicas: { min: 0, max: 3, targetUtilization: 0.7, scaleDownAfterMs: 5 },
};
const everything: readonly Change[] = [
  { table: 'applications', key: 'a', value: application('a') },
  { table: 'models', key: 'm:1', value: model },
  { table: 'deployments', key: 'm:1', value: deployment },
  { table: 'currentVersions', key: 'm', value: '1' },
  { table: 'links', key: 'a', value: ['m'] },
  {
    table: 'events',
    key: '000000000000001',
    value: { id: 1, at: '2026-01-02T03:04:05.678Z', kind: 'died', instance: 'm-1-0-abc', message: 'line\nline' },
  },
];

let redis: TestRedis | undefined;
beforeAll(async () => {
  if (hasRedis) redis = await TestRedis.start();
});
afterAll(() => redis?.[Symbol.asyncDispose]());

async function openRedisStore(): Promise<RedisStore> {
  await redis?.ask(0, 'flushall');
  return RedisStore.open({ url: redis?.url ?? '', cluster: 'test', log: silentLog });
}

const stores: Record<string, (dir: string) => Promise<StateStore>> = {
  memory: async () => new MemoryStore(),
  lmdb: (dir) => LmdbStore.open(dir),
  redis: openRedisStore,
};

describe.each(Object.keys(stores))('%s', (kind) => {
  if (kind === 'redis' && !hasRedis) return test.skip('(skipped: redis-server is not installed)', () => {});
  let dir: Awaited<ReturnType<typeof temporaryDir>>;
  let store: StateStore;
  beforeEach(async () => {
    dir = await temporaryDir();
    store = await (stores[kind] as (dir: string) => Promise<StateStore>)(dir.path);
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await dir[Symbol.asyncDispose]();
  });

  test('holds nothing at first', async () => {
    const state = await store.load();
    for (const table of tableNames) expect(state[table].size).toBe(0);
  });

  test('holds every table as it was put', async () => {
    expect(await store.commit(everything)).toBe(true);
    const state = await store.load();
    for (const { table, key, value } of everything) expect(state[table].get(key)).toEqual(value);
  });

  test('replaces and deletes', async () => {
    await store.commit(everything);
    await store.commit([
      { table: 'currentVersions', key: 'm', value: '2' },
      { table: 'links', key: 'a', value: undefined },
      { table: 'applications', key: 'nothing', value: undefined },
    ]);
    const state = await store.load();
    expect([...state.currentVersions]).toEqual([['m', '2']]);
    expect(state.links.size).toBe(0);
    expect(state.models.get('m:1')).toEqual(model);
  });

  test('changes nothing where something is there that is to be new', async () => {
    await store.commit(everything);
    const isDone = await store.commit([
      { table: 'currentVersions', key: 'm', value: '2' },
      { table: 'applications', key: 'a', value: application('other'), isNew: true },
    ]);
    expect(isDone).toBe(false);
    const state = await store.load();
    expect(state.currentVersions.get('m')).toBe('1');
    expect(state.applications.get('a')).toEqual(application('a'));
  });

  test('of many that want to be new at once, one is', async () => {
    const change = (n: number): Change => ({
      table: 'applications',
      key: 'a',
      value: { ...application('a'), defaultOutput: `${n}` },
      isNew: true,
    });
    const done = await Promise.all(Array.from({ length: 20 }, (_, n) => store.commit([change(n)])));
    expect(done.filter(Boolean)).toHaveLength(1);
    expect((await store.load()).applications.get('a')?.defaultOutput).toBe(`${done.indexOf(true)}`);
  });

  test('a thousand commits at once are all there', async () => {
    const names = Array.from({ length: 1_000 }, (_, n) => `a${n}`);
    await Promise.all(names.map((name) => store.commit([{ table: 'applications', key: name, value: application(name) }])));
    expect([...(await store.load()).applications.keys()].sort()).toEqual(names.sort());
  });
});

describe('LMDB', () => {
  test('holds what was committed before it was closed, in a folder that only its owner may enter', async () => {
    await using dir = await temporaryDir();
    const path = join(dir.path, 'state');
    const first = await LmdbStore.open(path);
    await first.commit(everything);
    await first[Symbol.asyncDispose]();
    await using second = await LmdbStore.open(path);
    expect((await second.load()).deployments.get('m:1')).toEqual(deployment);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  });

  test('after kill -9 in the midst of writing holds all that was acknowledged, and no half of a commit', async () => {
    await using dir = await temporaryDir();
    for (let round = 0; round < 3; round++) {
      const child = fork(join(import.meta.dirname, '../fixtures/programs/write-state.ts'), [dir.path, String(round)], {
        execArgv: ['--import', 'tsx'],
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      let acknowledged = -1;
      child.on('message', (count) => {
        acknowledged = count as number;
        if (acknowledged === 200 + 37 * round) child.kill('SIGKILL');
      });
      await once(child, 'exit');
      expect(acknowledged).toBeGreaterThanOrEqual(200);
      await using store = await LmdbStore.open(dir.path);
      const { applications, links } = await store.load();
      for (let n = 0; n <= acknowledged; n++) expect(applications.has(`a${round}-${n}`)).toBe(true);
      // Each was committed together with its link.
      expect([...links.keys()].sort()).toEqual([...applications.keys()].sort());
    }
  });

  test('a folder that can not be had is a clear error', async () => {
    await expect(LmdbStore.open('/dev/null/none')).rejects.toMatchObject({
      code: 'E_STORE_FAILED',
      message: expect.stringContaining('/dev/null/none'),
    });
  });
});
