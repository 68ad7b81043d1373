import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectClipper } from '../../src/client/start.ts';
import { createEndpoint } from '../../src/index.ts';
import { packageDir } from '../../src/util/package-files.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

const dir = join(packageDir, 'test/fixtures/certificates');
const pair = (name: string) => ({ cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) });
const text = ({ cert, key }: { cert: string; key: string }) => ({
  cert: readFileSync(cert, 'utf8'),
  key: readFileSync(key, 'utf8'),
});
const ca = join(dir, 'authority.crt');

test('everything is asked over https, by those who trust the certificate', async () => {
  await using clipper = await startedCluster({ tls: { ...pair('local'), ca } });
  const { managementUrl, queryUrl } = clipper;
  expect([managementUrl, queryUrl]).toEqual([expect.stringMatching(/^https:/), expect.stringMatching(/^https:/)]);
  const { url } = await createEndpoint(clipper, { ...quiet, name: 'plus', inputType: 'doubles', predictOne: ([x = 0]) => x + 1 });
  expect(url).toBe(`${queryUrl}/plus/predict`);
  const inputs = Array.from({ length: 100 }, (_, index) => [index]);
  const answers = await Promise.all(inputs.map((input) => clipper.predict('plus', input)));
  expect(answers.map(({ output }) => output)).toEqual(inputs.map(([x = 0]) => x + 1));
  await clipper.sendFeedback('plus', { input: [1], label: 2 });
  const other = await connectClipper({ managementUrl, ca });
  expect([other.queryUrl, await other.predict('plus', [4])]).toEqual([queryUrl, expect.objectContaining({ output: 5 })]);
  const document = (await other.management.get('/openapi.json')) as { paths: Record<string, { post: { servers: object[] } }> };
  expect(document.paths['/plus/predict']?.post.servers).toEqual([{ url: queryUrl }]);
  await expect(connectClipper({ managementUrl })).rejects.toMatchObject({
    code: 'E_SERVER_UNREACHABLE',
    message: expect.stringMatching(/certificate.* Give connectClipper the `ca`/),
  });
  await expect(connectClipper({ managementUrl: managementUrl.replace('https', 'http') })).rejects.toMatchObject({
    code: 'E_SERVER_UNREACHABLE',
    message: expect.stringContaining('its address is https://'),
  });
});

test.each([
  ['that only vouches for itself', pair('self')],
  ['for another name, of an authority', { ...pair('elsewhere'), ca }],
  ['for another name, of an unknown authority, as text', text(pair('elsewhere'))],
])('who starts a server can ask it with a certificate %s', async (_what, tls) => {
  await using clipper = await startedCluster({ tls });
  expect(await clipper.getAllApps()).toEqual([]);
  await expect(connectClipper({ managementUrl: clipper.managementUrl, ca })).rejects.toMatchObject({
    code: 'E_SERVER_UNREACHABLE',
  });
});

test.each([
  [{ ...pair('local'), key: pair('self').key }, /tls\.cert \(.*local\.crt\) and tls\.key \(.*self\.key\) can't be used together/],
  [{ ...pair('local'), cert: '/nowhere/local.crt' }, /tls\.cert must be PEM.*\/nowhere\/local\.crt.*ENOENT/],
  [{ ...pair('local'), cert: join(packageDir, 'package.json') }, /tls\.cert: the file .*package\.json holds no PEM/],
  [{ ...pair('local'), ca: '/nowhere/ca.crt' }, /ca must be PEM.*\/nowhere\/ca\.crt/],
  [{ ...pair('local'), key: text(pair('local')).key.replaceAll(/-.*-\n/g, '') }, /^(?!.*MIGH).*tls\.key must be PEM/s],
])('files that are no pair are named, and no key is shown: %#', async (tls, message) => {
  await expect(startedCluster({ tls })).rejects.toMatchObject({
    code: 'E_INVALID_OPTION',
    message: expect.stringMatching(message),
  });
});

test('no key is where others of this machine look', async () => {
  const tls = text(pair('self'));
  await using clipper = await startedCluster({ tls });
  const [, line = ''] = tls.key.split('\n');
  for (const file of ['cmdline', 'environ']) {
    expect(readFileSync(`/proc/${clipper.cluster?.pid}/${file}`, 'utf8').includes(line)).toBe(false);
  }
});

test('a certificate that is renewed in its files is shown without a restart', async () => {
  await using own = await temporaryDir();
  const tls = { cert: join(own.path, 'cert'), key: join(own.path, 'key'), ca };
  const put = ({ cert, key }: { cert: string; key: string }) => [copyFileSync(cert, tls.cert), copyFileSync(key, tls.key)];
  put(pair('local'));
  await using clipper = await startedCluster({ tls });
  const { connect } = await import('node:tls');
  const shown = (url: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ca: readFileSync(ca) }, () => {
        resolve(socket.getPeerX509Certificate()?.toString() ?? '');
        socket.destroy();
      }).on('error', reject);
    });
  const first = await shown(clipper.queryUrl);
  writeFileSync(tls.cert, 'half written');
  put(pair('renewed'));
  const renewed = readFileSync(pair('renewed').cert, 'utf8');
  const end = performance.now() + 15_000;
  while ((await shown(clipper.queryUrl)) !== renewed && performance.now() < end)
    await new Promise((done) => setTimeout(done, 200));
  expect([await shown(clipper.queryUrl), await shown(clipper.managementUrl)]).toEqual([renewed, renewed]);
  expect(first).toBe(readFileSync(pair('local').cert, 'utf8'));
  expect(await clipper.getAllApps()).toEqual([]);
});
