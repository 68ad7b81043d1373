import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deployPredictFunction } from '../../src/client/deploy.ts';
import { startClipper } from '../../src/client/start.ts';
import { parseRedisUrl } from '../../src/control/redis-url.ts';
import { startCluster } from '../helpers/cluster.ts';
import { keptLog } from '../helpers/kept-log.ts';
import { describeWithRedis, TestRedis } from '../helpers/redis.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

const password = 'se@cr/et%1';
const withPassword = (url: string, given = password): string => url.replace('//', `//:${encodeURIComponent(given)}@`);

describe('the address of a Redis', () => {
  test('says where it is, as whom to speak to it and whether with TLS', () => {
    const nobody = { username: undefined, password: undefined };
    expect(parseRedisUrl('redis://db')).toEqual({ host: 'db', port: 6379, ...nobody, isEncrypted: false });
    expect(parseRedisUrl('rediss://[::1]:7/')).toEqual({ host: '::1', port: 7, ...nobody, isEncrypted: true });
    const alice = { username: 'alice', password };
    const url = `redis://alice:${encodeURIComponent(password)}@db:1`;
    expect(parseRedisUrl(url)).toEqual({ host: 'db', port: 1, ...alice, isEncrypted: false });
  });

  test.each([
    'http://:secret@host',
    'redis://:secret@host:99999',
    'redis://:secret@host/2',
    'redis://:secret@host?db=2',
    'redis://:sec%ret@host',
    'redis://:sec/ret@host',
    'redis://',
    'secret@host',
    '',
  ])('%s is refused, without repeating what may be a password', async (state) => {
    const refused = startClipper({ state });
    await expect(refused).rejects.toMatchObject({ code: 'E_INVALID_OPTION', message: expect.stringContaining('state: must be') });
    await expect(refused).rejects.toMatchObject({ message: expect.not.stringMatching(/secret|sec%ret|sec\/ret/) });
  });
});

describeWithRedis('a Redis with rules of its own', () => {
  test('a password opens it, and shows nowhere', async () => {
    await using redis = await TestRedis.start({ settings: ['--requirepass', password] });
    await using dir = await temporaryDir();
    const state = withPassword(redis.url);
    await using clipper = await startedCluster({ state, stateDir: dir.path });
    const predictOne = (): string => JSON.stringify(process.env);
    await deployPredictFunction(clipper, { name: 'm', inputType: 'doubles', predictOne, ...quiet });
    await clipper.registerApplication({ name: 'app', inputType: 'doubles', model: 'm' });
    const { output, default: isDefault } = await clipper.predict('app', [1]);
    expect(isDefault).toBe(false);
    const shown = [
      JSON.stringify(output),
      await readFile(`/proc/${clipper.cluster?.pid}/cmdline`, 'utf8'),
      await readFile(join(dir.path, 'server.log'), 'utf8'),
    ];
    for (const text of shown) {
      expect(text).not.toContain(password);
      expect(text).not.toContain(encodeURIComponent(password));
    }
  });

  test('a wrong password, or none, is told without it', async () => {
    await using redis = await TestRedis.start({ settings: ['--requirepass', password] });
    const wrong = startCluster({ state: withPassword(redis.url, 'wrong-secret') });
    const none = startCluster({ state: redis.url });
    await expect(none).rejects.toMatchObject({ code: 'E_STORE_FAILED', message: expect.stringContaining('NOAUTH') });
    await expect(wrong).rejects.toMatchObject({ code: 'E_STORE_FAILED', message: expect.stringContaining('WRONGPASS') });
    await expect(wrong).rejects.toMatchObject({ message: expect.not.stringContaining('wrong-secret') });
  });

  test('that does not let its notifications be configured is used all the same, with a warning of what to set', async () => {
    await using redis = await TestRedis.start({ settings: ['--rename-command', 'CONFIG', ''] });
    const { log, messages } = keptLog();
    await using cluster = await startCluster({ state: redis.url }, log);
    expect((await cluster.addModel('m', '1')).status).toBe(200);
    expect(await redis.keys(2)).toEqual(['m:1']);
    expect(messages.filter((line) => line.includes('set notify-keyspace-events to AKE'))).toHaveLength(1);
  });

  test('that has too few databases is refused', async () => {
    await using redis = await TestRedis.start({ settings: ['--databases', '4'] });
    await expect(startCluster({ state: redis.url })).rejects.toMatchObject({
      code: 'E_STORE_FAILED',
      message: expect.stringContaining('It must have databases 0 to 8'),
    });
  });

  test('that takes no writes refuses a change, and nothing is changed', async () => {
    await using redis = await TestRedis.start();
    await using cluster = await startCluster({ state: redis.url });
    await redis.ask(0, 'config', 'set', 'maxmemory', '1');
    const { status, text } = await cluster.addModel('m', '1');
    expect(status).not.toBe(200);
    expect(text).toMatch(/OOM.*Nothing was changed/);
    expect((await cluster.admin('get_all_models')).json).toEqual([]);
    await redis.ask(0, 'config', 'set', 'maxmemory', '0');
    expect((await cluster.addModel('m', '1')).status).toBe(200);
  });
});
