import { connectClipper } from '../../src/client/start.ts';
import { createEndpoint } from '../../src/index.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';

test('an application’s keys are made, used and taken back', async () => {
  await using clipper = await startedCluster();
  const endpoint = await createEndpoint(clipper, {
    ...quiet,
    name: 'plus',
    inputType: 'doubles',
    predictOne: ([x = 0]) => x + 1,
  });
  expect((await clipper.getAppInfo('plus'))?.apiKeys).toBe(0);
  const apiKey = await clipper.createApiKey('plus');
  const refused = { code: 'E_UNAUTHORIZED', message: expect.stringContaining("'plus' needs a key") };
  await expect(clipper.predict('plus', [1])).rejects.toMatchObject(refused);
  await expect(clipper.sendFeedback('plus', { input: [1], label: 2 })).rejects.toMatchObject(refused);
  await expect(clipper.getFailedQueries('plus')).rejects.toMatchObject(refused);
  expect(await clipper.predict('plus', [1], { apiKey })).toMatchObject({ output: 2 });
  expect(await endpoint.predictBatch([[2], [3]], { apiKey })).toMatchObject([{ output: 3 }, { output: 4 }]);
  const { managementUrl } = clipper;
  await using keyed = await connectClipper({ managementUrl, apiKey });
  expect(await keyed.predict('plus', [4])).toMatchObject({ output: 5 });
  await keyed.sendFeedback('plus', { input: [1], label: 2 });
  expect(await keyed.getFailedQueries('plus')).toEqual([]);
  await expect(keyed.predict('plus', [4], { apiKey: 'clp_another' })).rejects.toMatchObject(refused);
  await expect(keyed.predict('plus', [4], { apiKey: 'two words' })).rejects.toThrow(/^(?!.*two words).*no spaces/s);
  expect((await clipper.getAppInfo('plus'))?.apiKeys).toBe(1);
  // Deployed again, the endpoint keeps its keys.
  await createEndpoint(clipper, { ...quiet, name: 'plus', inputType: 'doubles', predictOne: ([x = 0]) => x + 10 });
  expect(await keyed.predict('plus', [4])).toMatchObject({ output: 14 });
  await clipper.deleteApiKey('plus', apiKey);
  expect(await clipper.predict('plus', [1])).toMatchObject({ output: 11 });
  await expect(clipper.createApiKey('nothing')).rejects.toMatchObject({ code: 'E_UNKNOWN_APPLICATION' });
});
