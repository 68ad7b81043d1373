import { startCluster } from '../helpers/cluster.ts';
import { RawContainer } from '../helpers/raw-container.ts';

test('feedback is received where it is whole', async () => {
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
  const whole = { uid: 0, input: [1], label: 1 };
  expect(await cluster.query('/a/update', whole)).toMatchObject({ status: 200, text: 'Feedback received? 1' });
  for (const part of [
    { ...whole, uid: 'x' },
    { ...whole, label: undefined },
    { ...whole, input: 'x' },
    '{',
    '{"uid":0,"input":[1e999],"label":1}',
  ]) {
    expect(await cluster.query('/a/update', part)).toMatchObject({ status: 400, json: { cause: expect.any(String) } });
  }
  expect(await cluster.query('/b/update', whole)).toMatchObject({ status: 404 });
  const { status, type, text } = await cluster.get('management', '/admin/v1/feedback/a');
  expect([status, type]).toEqual([200, 'application/x-ndjson']);
  expect(JSON.parse(text)).toEqual({ time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/), ...whole });
  expect(await cluster.get('management', '/admin/v1/feedback/b')).toMatchObject({
    status: 404,
    json: { code: 'E_UNKNOWN_APPLICATION' },
  });
});

test('feedback goes to containers that say they take it, and to no others', async () => {
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
  using learns = new RawContainer(cluster.rpcPort);
  using other = new RawContainer(cluster.rpcPort);
  await learns.announce({ extensions: { errors: true, feedback: true } });
  await other.announce({ extensions: { errors: true } });
  await cluster.replicasConnected(2);
  await cluster.query('/a/update', { uid: 0, input: [1], label: 0.5 });
  const [, , type, , request, , header, ...inputs] = await learns.receive();
  expect([type, request]).toEqual(['01000000', '01000000']);
  expect(header).toBe('0300000000000000' + '0200000000000000' + '0800000000000000' + '0800000000000000');
  expect(inputs).toEqual(['000000000000f03f', '000000000000e03f']);
  // What comes next is the answer to the heartbeat.
  await other.heartbeat();
  expect((await other.receive())[2]).toBe('02000000');
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
