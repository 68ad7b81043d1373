import { startCluster } from '../helpers/cluster.ts';

test('feedback is received where it is whole', async () => {
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
  const whole = { uid: 0, input: [1], label: 1 };
  expect(await cluster.query('/a/update', whole)).toMatchObject({ status: 200, text: 'Feedback received? 1' });
  for (const part of [{ ...whole, uid: 'x' }, { ...whole, label: undefined }, { ...whole, input: 'x' }, '{']) {
    expect(await cluster.query('/a/update', part)).toMatchObject({ status: 400, json: { cause: expect.any(String) } });
  }
  expect(await cluster.query('/b/update', whole)).toMatchObject({ status: 404 });
});

test.each([
  ['query', '/metrics'],
  ['management', '/admin/metrics'],
] as const)('the %s port tells metrics as text for Prometheus, or as JSON', async (port, path) => {
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
  await cluster.query('/a/predict', { input_batch: [[1], [2]] });
  await cluster.query('/a/update', { uid: 0, input: [1], label: 1 });
  const { text, type } = await cluster.get(port, path);
  expect(type).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(text).toContain('clipper_predictions_total{application="a",reason="no_live_replica"} 2');
  expect(text).toContain('clipper_feedback_total{application="a"} 1');
  const asked = await cluster.get(port, path, { accept: 'application/json' });
  expect(asked.type).toContain('application/json');
  expect(asked.json).toContainEqual(expect.objectContaining({ name: 'clipper_predictions_total' }));
});
