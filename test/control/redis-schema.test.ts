import { Redis } from 'ioredis';
import { answering } from '../helpers/asking.ts';
import { type Cluster, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { describeWithRedis, TestRedis } from '../helpers/redis.ts';
import { type Replica, startReplica } from '../helpers/replica.ts';
import { until } from '../helpers/until.ts';

quietConsole();

const databases = { models: 2, replicas: 3, applications: 5, currentVersions: 6, links: 7, own: 8 } as const;

/** As Clipper's management frontend writes them. */
const written = {
  application: [
    ...['input_type', 'doubles', 'policy', 'DefaultOutputSelectionPolicy'],
    ...['default_output', '-1.0', 'latency_slo_micros', '9000000'],
  ],
  model: (version: string, { valid = true } = {}): string[] => [
    ...['model_name', 'm', 'model_version', version, 'load', '0.000000', 'input_type', 'doubles', 'labels', 'a,b'],
    ...['container_name', 'registry/image:1', 'model_data_path', '/data', 'batch_size', '-1'],
    ...(valid ? ['valid', ''] : []),
  ],
};

describeWithRedis("Clipper's schema", () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await TestRedis.start();
  });
  afterAll(() => redis[Symbol.asyncDispose]());
  beforeEach(() => redis.ask(0, 'flushall'));

  const start = (name = 'one'): Promise<Cluster> => startCluster({ name, state: redis.url });
  const refuses = async (cluster: Cluster, path: string, body: object): Promise<void> => {
    expect((await cluster.admin(path, body)).status).toBe(400);
  };

  test('what is registered is there as Clipper would have written it, with our fields beside', async () => {
    await using cluster = await start();
    await cluster.addModel('m', '2', { labels: ['a', 'b'], container_name: 'c', model_data_path: 'd', batch_size: 7 });
    await cluster.addApp({ app: 'app', model: 'm', inputType: 'doubles' });
    expect(await redis.keys(databases.models)).toEqual(['m:2']);
    expect(await redis.hash(databases.models, 'm:2')).toEqual({
      ...{ model_name: 'm', model_version: '2', load: '0.000000', input_type: 'doubles', labels: 'a,b', container_name: 'c' },
      ...{ model_data_path: 'd', batch_size: '7', valid: '' },
      ...{ batch_delay_micros: '0', hedge: 'false', cache: 'true' },
    });
    expect(await redis.keys(databases.applications)).toEqual(['app']);
    expect(await redis.hash(databases.applications, 'app')).toEqual({
      ...{ input_type: 'doubles', policy: 'DefaultOutputSelectionPolicy', default_output: '"default"' },
      ...{ latency_slo_micros: '10000000', cache: 'true' },
    });
    expect(await redis.keys(databases.currentVersions)).toEqual(['CURRENT_MODEL_VERSION:m']);
    expect(await redis.ask(databases.currentVersions, 'get', 'CURRENT_MODEL_VERSION:m')).toBe('2');
    expect(await redis.keys(databases.links)).toEqual(['app']);
    expect(await redis.ask(databases.links, 'smembers', 'app')).toEqual(['m']);
    for (const db of [0, 1, 4, databases.replicas]) expect(await redis.keys(db)).toEqual([]);
    expect(await redis.keys(databases.own)).toEqual(['events:one', 'identity:one', 'server:one']);
  });

  test("deleting leaves what Clipper leaves: a version without 'valid', and nothing of applications and links", async () => {
    await using cluster = await start();
    await cluster.addLinked({ app: 'app', model: 'm', inputType: 'doubles', settings: { labels: ['old'] } });
    await cluster.admin('delete_model_links', { app_name: 'app', model_names: ['m'] });
    expect(await redis.keys(databases.links)).toEqual([]);
    await cluster.admin('delete_app', { name: 'app' });
    expect(await redis.keys(databases.applications)).toEqual([]);
    await cluster.admin('delete_versioned_model', { model_name: 'm', model_version: '1' });
    const left = await redis.hash(databases.models, 'm:1');
    expect(left.valid).toBeUndefined();
    expect(left.labels).toBe('old');
    await cluster.addModel('m', '1', { labels: ['new'] });
    expect(await redis.hash(databases.models, 'm:1')).toMatchObject({ labels: 'new', valid: '' });
  });

  test("every change is an event that Clipper's query frontend acts on", async () => {
    await using cluster = await start();
    const events: string[] = [];
    const listener = new Redis({ port: redis.port });
    listener.on('pmessage', (_pattern, channel: string, event: string) => {
      const [, db, key] = /^__keyspace@(\d)__:(.*)$/.exec(channel) ?? [];
      events.push(`${db} ${key} ${event}`);
    });
    await listener.psubscribe('__keyspace@*__:*');
    await cluster.addLinked({ app: 'app', model: 'm', inputType: 'doubles' });
    await cluster.admin('delete_model_links', { app_name: 'app', model_names: ['m'] });
    await cluster.admin('delete_app', { name: 'app' });
    await cluster.admin('delete_versioned_model', { model_name: 'm', model_version: '1' });
    await until(() => events.includes('2 m:1 hdel'), 'the last event');
    listener.disconnect();
    expect(events.filter((event) => !event.startsWith('8 '))).toEqual([
      ...['2 m:1 hset', '6 CURRENT_MODEL_VERSION:m set', '5 app hset', '7 app sadd'],
      ...['7 app srem', '7 app del', '5 app hdel', '5 app del', '2 m:1 hdel'],
    ]);
  });

  test('what Clipper wrote is loaded and served; what it deleted or can not be read is left out', async () => {
    await redis.ask(databases.applications, 'hset', 'app', ...written.application);
    await redis.ask(databases.models, 'hset', 'm:1', ...written.model('1').map((text) => (text === 'doubles' ? 'd' : text)));
    await redis.ask(databases.models, 'hset', 'm:0', ...written.model('0', { valid: false }));
    await redis.ask(databases.models, 'hset', 'm:odd', ...written.model('not odd'));
    await redis.ask(databases.models, 'hset', 'm:half', 'model_name', 'm', 'valid', '');
    await redis.ask(databases.models, 'set', 'm:text', 'a string');
    await redis.ask(databases.applications, 'hset', 'broken', 'input_type', 'colours', 'default_output', '');
    await redis.ask(databases.currentVersions, 'set', 'CURRENT_MODEL_VERSION:m', '1');
    await redis.ask(databases.currentVersions, 'set', 'something else', '1');
    await redis.ask(databases.links, 'sadd', 'app', 'm');
    await using cluster = await start();
    expect((await cluster.admin('get_all_models')).json).toEqual(['m:1']);
    expect((await cluster.admin('get_all_applications', { verbose: true })).json).toEqual([
      {
        ...{ name: 'app', input_type: 'doubles', default_output: '-1.0', latency_slo_micros: 9_000_000 },
        linked_models: ['m'],
      },
    ]);
    expect((await cluster.admin('get_model', { model_name: 'm', model_version: '1' })).json).toEqual({
      ...{ model_name: 'm', model_version: '1', input_type: 'doubles', labels: ['a', 'b'], container_name: 'registry/image:1' },
      ...{ model_data_path: '/data', batch_size: -1, is_current_version: true },
    });
    await using _replica = startReplica(answering(), { port: cluster.rpcPort });
    await cluster.replicasConnected(1);
    expect((await cluster.query('/app/predict', { input: [2.5] })).json).toMatchObject({ output: 2.5, default: false });
    await refuses(cluster, 'add_app', { name: 'app', input_type: 'd', default_output: '', latency_slo_micros: 1 });
    // What can't be read is someone's all the same.
    await refuses(cluster, 'add_app', { name: 'broken', input_type: 'd', default_output: '', latency_slo_micros: 1 });
    // A version that was deleted may be added anew.
    expect((await cluster.addModel('m', '0')).status).toBe(200);
  });

  test("a link that Clipper left of an application that it deleted is in nobody's way", async () => {
    await redis.ask(databases.links, 'sadd', 'app', 'm');
    await using cluster = await start();
    expect((await cluster.addModel('m', '1')).status).toBe(200);
    const settings = { name: 'app', input_type: 'strings', default_output: '', latency_slo_micros: 1_000 };
    expect((await cluster.admin('add_app', settings)).status).toBe(200);
    expect((await cluster.admin('get_linked_models', { app_name: 'app' })).json).toEqual([]);
    expect(await redis.keys(databases.links)).toEqual([]);
  });

  test('connected replicas are listed as Clipper lists them, until they are gone', async () => {
    await using one = await start('one');
    await using two = await start('two');
    await one.addModel('m', '1', { batch_size: 3 });
    const startOn = ({ rpcPort }: Cluster): Replica => startReplica(answering(), { port: rpcPort });
    const keys = (...expected: string[]): Promise<unknown> =>
      until(async () => String(await redis.keys(databases.replicas)) === String(expected), `the replicas ${expected}`);
    const first = startOn(one);
    await keys('m,1,0');
    expect(await redis.hash(databases.replicas, 'm,1,0')).toEqual({
      ...{ model_id: 'm:1', model_name: 'm', model_version: '1', model_replica_id: '0', zmq_connection_id: '0' },
      ...{ batch_size: '3', input_type: 'doubles', server: 'one' },
    });
    // Its number is taken in the list that the servers share.
    await using _second = startOn(two);
    await keys('m,1,0', 'm,1,1');
    await first[Symbol.asyncDispose]();
    await keys('m,1,1');
    expect(await redis.hash(databases.replicas, 'm,1,1')).toMatchObject({ server: 'two', model_replica_id: '1' });
    await two[Symbol.asyncDispose]();
    expect(await redis.keys(databases.replicas)).toEqual([]);
  });

  test('what a dead server left of its replicas goes when it starts again, and nothing of others', async () => {
    await redis.ask(databases.replicas, 'hset', 'm,1,0', 'model_id', 'm:1', 'server', 'one');
    await redis.ask(databases.replicas, 'hset', 'm,1,1', 'model_id', 'm:1', 'server', 'two');
    await redis.ask(databases.replicas, 'hset', 'm,1,2', 'model_id', 'm:1');
    await using _cluster = await start('one');
    await until(async () => (await redis.keys(databases.replicas)).length < 3, 'the replica to be gone');
    expect(await redis.keys(databases.replicas)).toEqual(['m,1,1', 'm,1,2']);
  });
});
