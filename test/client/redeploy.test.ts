import type { ClipperConnection } from '../../src/client/connection.ts';
import { createEndpoint, deployPredictFunction } from '../../src/client/deploy.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';

let clipper: ClipperConnection;
beforeAll(async () => {
  clipper = await startedCluster();
});
afterAll(() => clipper.close());

test('a version that was deleted and deployed again is served by the new function alone', async () => {
  const old = (inputs: Float64Array[]) => inputs.map(() => 'old');
  await createEndpoint(clipper, { name: 'again', version: 1, inputType: 'doubles', predict: old, batchSize: 1, ...quiet });
  expect((await clipper.predict('again', [1])).output).toBe('old');
  const response = await fetch(`${clipper.managementUrl}/admin/delete_versioned_model`, {
    method: 'POST',
    body: JSON.stringify({ model_name: 'again', model_version: '1' }),
  });
  expect(response.status).toBe(200);
  const young = (inputs: Float64Array[]) => inputs.map(() => 'new');
  await deployPredictFunction(clipper, {
    name: 'again',
    version: 1,
    inputType: 'doubles',
    predict: young,
    batchSize: 1,
    ...quiet,
  });
  const answers = await Promise.all(Array.from({ length: 50 }, (_, value) => clipper.predict('again', [value])));
  expect(new Set(answers.map(({ output }) => output))).toEqual(new Set(['new']));
  expect(await clipper.getNumReplicas('again')).toBe(1);
});
