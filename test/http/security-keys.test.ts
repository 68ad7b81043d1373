import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { answering } from '../helpers/asking.ts';
import { type Cluster, type Reply, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { startReplica } from '../helpers/replica.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

const printed = quietConsole();

const tensor = { inputs: [{ name: 'x', datatype: 'FP64', shape: [1, 1], data: [1] }] };
/** Every way to ask an application something. */
const ways = (app: string): readonly ((cluster: Cluster, headers?: Record<string, string>) => Promise<Reply>)[] => [
  (cluster, headers) => cluster.query(`/${app}/predict`, { input: [1] }, headers),
  (cluster, headers) => cluster.query(`/${app}/predict/?explain=1`, { input_batch: [[1]] }, headers),
  (cluster, headers) =>
    cluster.query(`/${app}/predict`, new Uint8Array(8), { 'content-type': 'application/octet-stream', ...headers }),
  (cluster, headers) => cluster.query(`/${app}/update`, { uid: 0, input: [1], label: 1 }, headers),
  (cluster, headers) => cluster.get('query', `/${app}/queries`, headers),
  (cluster, headers) => cluster.query(`/v2/models/${app}/infer`, tensor, headers),
  (cluster, headers) => cluster.query(`/v2/models/${app}/versions/1/infer`, tensor, headers),
  (cluster, headers) => cluster.get('query', `/v2/models/${app}`, headers),
  (cluster, headers) => cluster.get('query', `/v2/models/${app}/ready`, headers),
];

const newKey = async (cluster: Cluster, application: string): Promise<string> =>
  (await cluster.admin('v1/api-keys', { application })).json.key;

async function startTwo(options: object = {}): Promise<Cluster> {
  const cluster = await startCluster(options);
  await cluster.addLinked({ app: 'kept', model: 'm', inputType: 'doubles' });
  await cluster.addApp({ app: 'open', model: 'm', inputType: 'doubles' });
  return cluster;
}

test('an application with keys answers those who have one, in every way that it is asked', async () => {
  await using cluster = await startTwo();
  await using _replica = startReplica(answering(), { port: cluster.rpcPort });
  await cluster.replicasConnected(1);
  const [key, second, other] = [await newKey(cluster, 'kept'), await newKey(cluster, 'kept'), await newKey(cluster, 'open')];
  expect([key, second]).toEqual([expect.stringMatching(/^clp_[\w-]{43}$/), expect.not.stringContaining(key)]);
  await cluster.admin('v1/api-keys/delete', { application: 'open', key: other });
  for (const [index, way] of ways('kept').entries()) {
    const refused = [
      {},
      { 'x-api-key': other },
      { authorization: `Bearer ${key}x` },
      { 'x-api-key': '' },
      { cookie: `key=${key}` },
    ];
    for (const headers of refused as Record<string, string>[]) {
      const { status, text, headers: answered } = await way(cluster, headers);
      expect([index, status, answered.get('www-authenticate')]).toEqual([index, 401, 'Bearer']);
      expect(text).toMatch(/application 'kept' needs a key/);
      expect(text).not.toContain(key);
    }
    const allowed = [{ authorization: `Bearer ${key}` }, { 'x-api-key': second }, { authorization: 'Basic x', 'x-api-key': key }];
    for (const headers of allowed)
      expect([index, (await way(cluster, headers as Record<string, string>)).status]).toEqual([index, 200]);
  }
  for (const way of ways('open')) expect((await way(cluster)).status).toBe(200);
});

test('a failed query is told of only with a key', async () => {
  await using cluster = await startTwo();
  const key = await newKey(cluster, 'kept');
  const { json } = await cluster.query('/kept/predict', { input: [1] }, { 'x-api-key': key });
  const path = `/kept/queries/${json.query_id}`;
  const statuses = [{}, { 'x-api-key': key }].map(async (headers) => (await cluster.get('query', path, headers)).status);
  expect(await Promise.all(statuses)).toEqual([401, 200]);
});

test('a key that is taken back is none any more, and without keys an application is open', async () => {
  await using cluster = await startTwo();
  const [first, second] = [await newKey(cluster, 'kept'), await newKey(cluster, 'kept')];
  const statusWith = async (key: string) => (await cluster.get('query', '/kept/queries', { 'x-api-key': key })).status;
  const remove = (key: string, application = 'kept') => cluster.admin('v1/api-keys/delete', { application, key });
  expect((await remove(first)).status).toBe(200);
  expect([await statusWith(first), await statusWith(second)]).toEqual([401, 200]);
  expect(await remove(first)).toMatchObject({ status: 400, json: { code: 'E_INVALID_OPTION' } });
  expect((await remove(first)).text).not.toContain(first);
  expect(await remove(second, 'nothing')).toMatchObject({ status: 404, json: { code: 'E_UNKNOWN_APPLICATION' } });
  await remove(second);
  expect((await cluster.get('query', '/kept/queries')).status).toBe(200);
});

test('of a key only a hash is kept, which nobody is told, and it holds after a restart', async () => {
  await using dir = await temporaryDir();
  const name = 'keys-are-kept';
  let key = '';
  {
    await using cluster = await startTwo({ stateDir: dir.path, name });
    key = await newKey(cluster, 'kept');
    const answers = [
      await cluster.admin('get_application', { name: 'kept' }),
      await cluster.admin('get_all_applications', { verbose: true }),
      await cluster.get('management', '/openapi.json'),
      await cluster.get('query', '/metrics'),
      await cluster.get('query', '/openapi.json'),
    ];
    expect(answers[0]?.json).toMatchObject({ name: 'kept', api_keys: 1 });
    for (const { text } of answers) expect([text.includes(key), /[0-9a-f]{64}/.test(text)]).toEqual([false, false]);
    expect(printed.join()).not.toContain(key);
  }
  const kept = readFileSync(join(dir.path, 'state', 'state.mdb'));
  expect([kept.includes(key), kept.includes(createHash('sha256').update(key).digest('hex'))]).toEqual([false, true]);
  await using again = await startCluster({ stateDir: dir.path, name });
  const statuses = [{}, { 'x-api-key': key }].map(async (headers) => (await again.get('query', '/kept/queries', headers)).status);
  expect(await Promise.all(statuses)).toEqual([401, 200]);
});
