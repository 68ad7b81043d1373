import { RedisStore } from '../../src/control/redis-store.ts';
import type { Application } from '../../src/control/state-store.ts';
import { answering, ask } from '../helpers/asking.ts';
import { type Cluster, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { describeWithRedis, TestRedis } from '../helpers/redis.ts';
import { startReplica } from '../helpers/replica.ts';
import { silentLog } from '../helpers/silent-log.ts';
import { startedCluster } from '../helpers/started-cluster.ts';
import { until } from '../helpers/until.ts';

quietConsole();

describeWithRedis('servers that share a Redis', () => {
  let redis: TestRedis;
  let one: Cluster;
  let two: Cluster;
  beforeAll(async () => {
    redis = await TestRedis.start();
  });
  beforeEach(async () => {
    await redis.ask(0, 'flushall');
    one = await startCluster({ name: 'one', state: redis.url });
    two = await startCluster({ name: 'two', state: redis.url });
  });
  afterEach(async () => {
    await one[Symbol.asyncDispose]();
    await two[Symbol.asyncDispose]();
  });
  afterAll(() => redis[Symbol.asyncDispose]());

  /** Waits until the second server answers so, for a second at most. */
  const twoShows = (path: string, body: object, expected: unknown): Promise<unknown> =>
    until(
      async () => JSON.stringify((await two.admin(path, body)).json) === JSON.stringify(expected),
      `${path} to answer ${JSON.stringify(expected)}`,
      1_000,
    );
  const isCurrent = async (version: string): Promise<boolean> =>
    (await two.admin('get_model', { model_name: 'm', model_version: version })).json.is_current_version;

  test('what one adds, links, sets current, unlinks and deletes shows in the other within a second', async () => {
    await one.addLinked({ app: 'app', model: 'm', inputType: 'doubles' });
    await twoShows('get_linked_models', { app_name: 'app' }, ['m']);
    await one.addModel('m', '2');
    await until(() => isCurrent('2'), 'the new version to be current', 1_000);
    await one.admin('set_model_version', { model_name: 'm', model_version: '1' });
    await until(() => isCurrent('1'), 'the version before to be current', 1_000);
    await one.admin('delete_versioned_model', { model_name: 'm', model_version: '2' });
    await twoShows('get_all_models', {}, ['m:1']);
    await one.admin('delete_model_links', { app_name: 'app', model_names: ['m'] });
    await twoShows('get_linked_models', { app_name: 'app' }, []);
    const isCounted = async () => (await two.get('query', '/metrics')).text.includes('application="app"');
    await two.query('/app/predict', { input: [1] });
    expect(await isCounted()).toBe(true);
    await one.admin('delete_app', { name: 'app' });
    await twoShows('get_all_applications', {}, []);
    await until(async () => !(await isCounted()), 'the second to keep nothing of it', 1_000);
    await two.addModel('m', '2');
    expect((await two.admin('get_all_models')).json.sort()).toEqual(['m:1', 'm:2']);
    await until(async () => (await one.admin('get_all_models')).json.length === 2, 'what the second added', 1_000);
  });

  test('a version that one deletes and adds anew is asked anew in the other, whatever that has kept of the one before', async () => {
    await one.addLinked({ app: 'app', model: 'm', inputType: 'doubles' });
    await twoShows('get_linked_models', { app_name: 'app' }, ['m']);
    let prefix = 'old';
    await using _replica = startReplica((type, inputs) => answering(prefix)(type, inputs), { port: two.rpcPort });
    await two.replicasConnected(1);
    expect((await ask(two, 'app', 1)).output).toBe('old1');
    prefix = 'new';
    expect((await ask(two, 'app', 1)).output).toBe('old1');
    await one.admin('delete_versioned_model', { model_name: 'm', model_version: '1' });
    await one.addModel('m', '1', { model_data_path: 'another' });
    await until(async () => (await ask(two, 'app', 1)).output === 'new1', 'an answer of the new version', 1_000);
    prefix = 'newest';
    // Someone else's way to replace it, in one go.
    await redis.ask(2, 'hset', 'm:1', 'model_data_path', 'yet another');
    await until(async () => (await ask(two, 'app', 1)).output === 'newest1', 'an answer of what replaced it', 1_000);
  });

  test('a name that another server has is refused, and free again when that was killed', async () => {
    await expect(startCluster({ name: 'one', state: redis.url })).rejects.toMatchObject({ code: 'E_CLUSTER_EXISTS' });
    const third = await startedCluster({ name: 'third', state: redis.url });
    await expect(startedCluster({ name: 'third', state: redis.url })).rejects.toMatchObject({ code: 'E_CLUSTER_EXISTS' });
    process.kill(third.cluster?.pid ?? 0, 'SIGKILL');
    await using _again = await startedCluster({ name: 'third', state: redis.url });
    await third[Symbol.asyncDispose]();
  });

  test('of two that add one name at once, one is refused', async () => {
    for (let round = 0; round < 20; round++) {
      const settings = { name: `app${round}`, input_type: 'doubles', latency_slo_micros: 1_000 };
      const replies = await Promise.all(
        [one, two].map((cluster, which) => cluster.admin('add_app', { ...settings, default_output: `${which}` })),
      );
      expect(replies.map(({ status }) => status).sort()).toEqual([200, 400]);
      const winner = String(replies.findIndex(({ status }) => status === 200));
      for (const cluster of [one, two]) {
        const shown = async (): Promise<boolean> =>
          (await cluster.admin('get_application', { name: settings.name })).json.default_output === winner;
        await until(shown, 'what the one that came first added', 1_000);
      }
    }
  });

  test('commits of different servers that exclude each other are never both done, and the one refused changes nothing', async () => {
    const options = { url: redis.url, log: silentLog };
    await using first = await RedisStore.open({ ...options, cluster: 'first' });
    await using second = await RedisStore.open({ ...options, cluster: 'second' });
    const value = (name: string, defaultOutput: string): Application => ({
      ...{ name, inputType: 'doubles', defaultOutput, latencySloMicros: 1 },
    });
    for (let round = 0; round < 200; round++) {
      const name = `a${round}`;
      const done = await Promise.all(
        [first, second].map((store, which) =>
          store.commit([
            { table: 'currentVersions', key: name, value: `${which}` },
            { table: 'applications', key: name, value: value(name, `${which}`), isNew: true },
          ]),
        ),
      );
      expect([...done].sort()).toEqual([false, true]);
      const winner = String(done.indexOf(true));
      expect(await redis.ask(5, 'hget', name, 'default_output')).toBe(winner);
      expect(await redis.ask(6, 'get', `CURRENT_MODEL_VERSION:${name}`)).toBe(winner);
    }
  });

  test('whatever two change at once, both end with what is in Redis', async () => {
    let seed = 7;
    const pick = <T>(...choices: readonly T[]): T => {
      seed = (seed * 48_271) % 2_147_483_647;
      return choices[seed % choices.length] as T;
    };
    const app = (): object => ({ input_type: 'doubles', default_output: `${seed}`, latency_slo_micros: 1_000 });
    const changes = [
      (cluster: Cluster) => cluster.addModel(pick('m', 'n'), pick('1', '2', '3'), { model_data_path: `${seed}` }),
      (cluster: Cluster) =>
        cluster.admin('delete_versioned_model', { model_name: pick('m', 'n'), model_version: pick('1', '2', '3') }),
      (cluster: Cluster) =>
        cluster.admin('set_model_version', { model_name: pick('m', 'n'), model_version: pick('1', '2', '3') }),
      (cluster: Cluster) => cluster.admin('add_app', { name: pick('a', 'b'), ...app() }),
      (cluster: Cluster) => cluster.admin('delete_app', { name: pick('a', 'b') }),
      (cluster: Cluster) => cluster.admin('add_model_links', { app_name: pick('a', 'b'), model_names: [pick('m', 'n')] }),
    ];
    const shows = async (cluster: Cluster): Promise<string> => {
      const models = (await cluster.admin('get_all_models', { verbose: true })).json.map((each: object) => JSON.stringify(each));
      const apps = (await cluster.admin('get_all_applications', { verbose: true })).json;
      return [...models, ...apps.map((each: object) => JSON.stringify(each))].sort().join('\n');
    };
    let done = 0;
    for (let round = 0; round < 150; round++) {
      const replies = await Promise.all([one, two, one, two].map((cluster) => pick(...changes)(cluster)));
      done += replies.filter(({ status }) => status === 200).length;
    }
    expect(done).toBeGreaterThan(100);
    await using fresh = await startCluster({ name: 'fresh', state: redis.url });
    const truth = await shows(fresh);
    expect(truth).not.toBe('');
    for (const cluster of [one, two]) await until(async () => (await shows(cluster)) === truth, 'what is in Redis', 1_000);
  });

  test('how a server runs what it deployed is its own, and there when it starts again', async () => {
    const options = { url: redis.url, log: silentLog };
    await using first = await RedisStore.open({ ...options, cluster: 'first' });
    const value = { name: 'm', version: '1', inputType: 'doubles', digest: 'f', env: { A: 'b' }, resources: {} } as const;
    const deployment = { ...value, network: 'cluster', replicas: 2 } as const;
    await first.commit([{ table: 'deployments', key: 'm:1', value: deployment }]);
    await first[Symbol.asyncDispose]();
    await using again = await RedisStore.open({ ...options, cluster: 'first' });
    expect((await again.load()).deployments.get('m:1')).toEqual(deployment);
    await using other = await RedisStore.open({ ...options, cluster: 'second' });
    expect((await other.load()).deployments.size).toBe(0);
  });
});
