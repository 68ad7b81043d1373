import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { connectClipper } from '../../src/client/start.ts';
import { createEndpoint } from '../../src/index.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';

const everywhere = { managementHost: '0.0.0.0' };

test('clients of this machine need not know a token, and those that give a wrong one are told', async () => {
  await using clipper = await startedCluster(everywhere);
  const { managementUrl, cluster } = clipper;
  await createEndpoint(clipper, { ...quiet, name: 'plus', inputType: 'doubles', predictOne: ([x = 0]) => x + 1 });
  const local = await connectClipper({ managementUrl });
  expect(await local.getAllApps()).toMatchObject([{ name: 'plus' }]);
  expect(await local.predict('plus', [1])).toMatchObject({ output: 2 });
  await local.sendFeedback('plus', { input: [1], label: 2 });
  const token = readFileSync(join(dirname(cluster?.storeDir ?? ''), 'token'), 'utf8');
  expect(await (await connectClipper({ managementUrl, token })).getAllApps()).toHaveLength(1);
  await expect(connectClipper({ managementUrl, token: 'x'.repeat(16) })).rejects.toMatchObject({
    code: 'E_UNAUTHORIZED',
    message: expect.stringContaining('another one came'),
  });
  await expect(connectClipper({ managementUrl, token: 'short' })).rejects.toMatchObject({ code: 'E_INVALID_OPTION' });
});

test('the environment’s token goes before that of the running cluster', async () => {
  await using clipper = await startedCluster({ token: 'a-token-for-tests' });
  const { managementUrl } = clipper;
  try {
    process.env.CLIPPER_TOKEN = 'another-token-there';
    await expect(connectClipper({ managementUrl })).rejects.toMatchObject({ code: 'E_UNAUTHORIZED' });
    process.env.CLIPPER_TOKEN = 'a-token-for-tests';
    expect(await (await connectClipper({ managementUrl })).getAllApps()).toEqual([]);
  } finally {
    delete process.env.CLIPPER_TOKEN;
  }
});

test('a token is nowhere that others of this machine look: no argument, no environment, no log', async () => {
  await using clipper = await startedCluster({ token: 'a-token-for-tests' });
  const { pid, storeDir = '' } = clipper.cluster ?? {};
  const seen = [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`, join(dirname(storeDir), 'server.log')];
  for (const path of seen) expect([path, readFileSync(path, 'utf8').includes('a-token-for-tests')]).toEqual([path, false]);
});
