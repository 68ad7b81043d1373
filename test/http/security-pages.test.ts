import { type Cluster, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { rawRequest as send } from '../helpers/raw-request.ts';

quietConsole();

const app = { name: 'evil', input_type: 'doubles', default_output: '', latency_slo_micros: 1_000 };
const update = { uid: 0, input: [1], label: 1 };

async function startLinked(options: object = {}): Promise<Cluster> {
  const cluster = await startCluster(options);
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles', sloMs: 20 });
  return cluster;
}

describe.each([
  ['a page of elsewhere', { headers: { Origin: 'http://evil.example' } }, 'Origin \\"http://evil.example\\"'],
  ['a page on another port', { headers: { Origin: 'http://127.0.0.1:3000' } }, 'Origin'],
  ['a file, or a sandboxed frame', { headers: { Origin: 'null' } }, 'Origin'],
  ['a page of elsewhere that tells no origin', { headers: { 'Sec-Fetch-Site': 'cross-site' } }, 'Sec-Fetch-Site'],
  [
    'a page whose name leads here',
    { host: 'evil.example:1338', headers: { Origin: 'http://evil.example:1338' } },
    'no name of the loopback',
  ],
  ['a name that only looks like the address', { host: '127.0.0.1.evil.example' }, 'no name of the loopback'],
])('%s', (_what, sent, reason) => {
  test('can do nothing to the cluster, but may ask for predictions', async () => {
    await using cluster = await startLinked();
    const admin = await send(cluster.managementPort, { path: '/admin/add_app', body: app, ...sent });
    expect([admin.status, admin.answer]).toEqual([403, expect.stringContaining('"code":"E_FORBIDDEN"')]);
    expect(admin.answer).toContain(reason);
    expect((await send(cluster.managementPort, { path: '/admin/v1/shutdown', ...sent })).status).toBe(403);
    expect((await send(cluster.managementPort, { method: 'OPTIONS', path: '/admin/add_app', ...sent })).status).toBe(403);
    expect((await cluster.admin('get_all_applications')).json).toEqual(['a']);
    expect((await send(cluster.queryPort, { path: '/a/update', body: update, ...sent })).status).toBe(403);
    expect((await cluster.get('management', '/admin/v1/feedback/a')).text).toBe('');
    const predicted = await send(cluster.queryPort, { path: '/a/predict', body: { input: [1] }, ...sent });
    expect([predicted.status, predicted.answer]).toEqual([200, expect.not.stringMatching(/access-control/i)]);
  });
});

test.each([
  ['127.0.0.1', {}],
  ['localhost:1338', {}],
  ['[::1]:1338', {}],
  ['LOCALHOST', { Origin: 'http://localhost' }],
  ['127.0.0.1:1', { Origin: 'http://127.0.0.1:1', 'Sec-Fetch-Site': 'same-origin' }],
])('what is sent to %s, by the server’s own pages or by none, is answered', async (host, headers) => {
  await using cluster = await startLinked();
  const { status } = await send(cluster.managementPort, { path: '/admin/get_all_applications', host, headers });
  expect([status, (await send(cluster.queryPort, { path: '/a/update', body: update, host, headers })).status]).toEqual([
    200, 200,
  ]);
});

test('with a token the server may be addressed by any name, and still not by pages of elsewhere', async () => {
  const token = 'a-token-for-tests';
  await using cluster = await startCluster({ managementHost: '0.0.0.0', token });
  const headers = { Authorization: `Bearer ${token}` };
  const sent = { path: '/admin/get_all_applications', host: 'models.example' };
  expect((await send(cluster.managementPort, { ...sent, headers })).status).toBe(200);
  expect((await send(cluster.managementPort, { ...sent, headers: { ...headers, Origin: 'http://x.example' } })).status).toBe(403);
  expect((await send(cluster.managementPort, sent)).status).toBe(401);
});
