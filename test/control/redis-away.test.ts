import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { RedisStore } from '../../src/control/redis-store.ts';
import type { Application, Change } from '../../src/control/state-store.ts';
import { answering, askSteadily } from '../helpers/asking.ts';
import { startCluster } from '../helpers/cluster.ts';
import { keptLog } from '../helpers/kept-log.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { describeWithRedis, TestRedis } from '../helpers/redis.ts';
import { startReplica } from '../helpers/replica.ts';
import { startedCluster } from '../helpers/started-cluster.ts';
import { until } from '../helpers/until.ts';

quietConsole();

const application = (name: string): Application => ({ name, inputType: 'doubles', defaultOutput: '', latencySloMicros: 1 });
const added = (name: string): Change => ({ table: 'applications', key: name, value: application(name), isNew: true });
const newApp = (name: string): object => ({ name, input_type: 'doubles', default_output: '', latency_slo_micros: 1_000 });

describeWithRedis('a Redis that is away', () => {
  let redis: TestRedis;
  beforeEach(async () => {
    redis = await TestRedis.start();
  });
  afterEach(() => redis[Symbol.asyncDispose]());

  const ways = {
    'was ended and started again, empty': { go: () => redis.stop(), comeBack: () => redis.start() },
    'hung for a while': { go: async () => redis.signal('SIGSTOP'), comeBack: async () => redis.signal('SIGCONT') },
  } as const;
  test.each(Object.keys(ways) as (keyof typeof ways)[])('%s: every query has its prediction', async (way) => {
    await using cluster = await startCluster({ state: redis.url });
    await cluster.addLinked({ app: 'app', model: 'm', inputType: 'doubles' });
    await using _replica = startReplica(answering('is '), { port: cluster.rpcPort });
    await cluster.replicasConnected(1);
    const asking = askSteadily(cluster, 'app', { perSecond: 50, seconds: 5 });
    await setTimeout(500);
    await ways[way].go();
    const meanwhile = cluster.admin('add_app', newApp('meanwhile'));
    await setTimeout(3_000);
    await ways[way].comeBack();
    expect(await meanwhile).toMatchObject({ status: 200 });
    const answers = await asking;
    expect(answers).toHaveLength(250);
    expect(answers.filter(({ output }, value) => output !== `is ${value}`)).toEqual([]);
    // What it had is there again, and what others change shows.
    await until(async () => (await redis.keys(3)).includes('m,1,0'), 'the replica in Redis');
    expect(await redis.keys(5)).toEqual(['app', 'meanwhile']);
    expect(await redis.ask(7, 'smembers', 'app')).toEqual(['m']);
    await redis.ask(6, 'set', 'CURRENT_MODEL_VERSION:m', '7');
    const shown = async (): Promise<boolean> =>
      (await cluster.admin('get_model', { model_name: 'm', model_version: '1' })).json.is_current_version === false;
    await until(shown, 'what someone else changed');
  });

  test('a change waits 5 s and then says that nothing was changed, or that it is not known', async () => {
    await using cluster = await startCluster({ state: redis.url });
    await cluster.addModel('m', '1');
    await cluster.addModel('m', '2');
    redis.signal('SIGSTOP');
    const start = performance.now();
    const { status, text } = await cluster.admin('set_model_version', { model_name: 'm', model_version: '1' });
    expect(status).not.toBe(200);
    const isLost = text.includes(`127.0.0.1:${redis.port} was lost while it made a change`) && text.includes('not known');
    // A link that was not used for a while is tried first.
    expect(isLost || text.includes('Nothing was changed')).toBe(true);
    expect(performance.now() - start).toBeLessThan(7_000);
    redis.signal('SIGCONT');
    // What it had taken is made after all, and shows.
    const isMade = async (): Promise<boolean> =>
      (await cluster.admin('get_model', { model_name: 'm', model_version: '1' })).json.is_current_version;
    await until(async () => (await isMade()) === isLost, 'the change that was not known of');
    await redis.stop();
    const refused = await cluster.admin('add_app', newApp('a'));
    expect([refused.status, refused.json.code]).toEqual([503, 'E_STORE_FAILED']);
    expect(refused.text).toContain(`127.0.0.1:${redis.port} did not answer within 5 s: connect ECONNREFUSED`);
    expect(refused.text).toContain('Nothing was changed');
    expect((await cluster.admin('get_all_applications')).json).toEqual([]);
  });

  test('a server does not start without it, and says what to do', async () => {
    await redis.stop();
    await expect(startedCluster({ state: redis.url })).rejects.toMatchObject({
      code: 'E_STORE_FAILED',
      message: expect.stringMatching(new RegExp(`127.0.0.1:${redis.port} did not answer within 5 s.*Start it there`)),
    });
  });

  test('is logged once when it goes, and once when it is back with what others changed meanwhile', async () => {
    await using lasting = await TestRedis.start({ isLasting: true });
    const { log, messages } = keptLog();
    await using store = await RedisStore.open({ url: lasting.url, cluster: 'test', log });
    const heard: Change[] = [];
    await store.commit([added('a'), added('b')]);
    store.follow((changes) => heard.push(...changes));
    await lasting.ask(6, 'set', 'CURRENT_MODEL_VERSION:m', '1');
    await until(() => heard.length === 1, 'a change by someone else');
    // Its own change comes back as an event too, and is nothing new.
    await store.commit([added('c')]);
    await lasting.stop();
    await setTimeout(1_000);
    // Before the store is back.
    await lasting.start();
    await lasting.ask(5, 'del', 'a');
    await lasting.ask(6, 'set', 'CURRENT_MODEL_VERSION:m', '2');
    await until(() => heard.length === 3, 'the differences');
    expect(heard.slice(1)).toEqual([
      { table: 'applications', key: 'a', value: undefined },
      { table: 'currentVersions', key: 'm', value: '2' },
    ]);
    expect(messages.filter((line) => line.includes('Redis is away'))).toHaveLength(1);
    expect(messages.filter((line) => line.includes('Redis is back'))).toHaveLength(1);
  });

  test('a change that was acknowledged is there when the server is killed', async () => {
    await using clipper = await startedCluster({ state: redis.url });
    await clipper.registerApplication({ name: 'kept', inputType: 'doubles' });
    process.kill(clipper.cluster?.pid ?? 0, 'SIGKILL');
    expect(await redis.hash(5, 'kept')).toMatchObject({ input_type: 'doubles', latency_slo_micros: '3000000' });
    await using again = await startedCluster({ state: redis.url });
    expect((await again.getAllApps()).map(({ name }) => name)).toEqual(['kept']);
  });

  test.each(['SIGCONT', 'SIGSTOP'] as const)('closing leaves nothing open (after %s)', async (signal) => {
    redis.signal(signal);
    const program = join(import.meta.dirname, '../fixtures/programs/open-redis-store.ts');
    const child = fork(program, [redis.url], { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const [said] = await once(child, 'message');
    expect(said).toMatch(signal === 'SIGCONT' ? /^opened$/ : /E_STORE_FAILED|did not answer within 5 s/);
    const ended = await Promise.race([once(child, 'exit'), setTimeout(2_000, undefined, { ref: false })]);
    child.kill('SIGKILL');
    expect(ended).toEqual([0, null]);
  });
});
