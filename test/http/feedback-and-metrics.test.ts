import { setTimeout } from 'node:timers/promises';
import { startCluster } from '../helpers/cluster.ts';
import { RawContainer } from '../helpers/raw-container.ts';
import { startReplica } from '../helpers/replica.ts';

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
  expect(asked.json.counters).toContainEqual({ 'app:a:num_predictions': { count: '2' } });
  expect(asked.json.ratio_counters).toContainEqual({ 'app:a:default_prediction_ratio': { ratio: '1' } });
  // As Clipper's Python client asks.
  expect((await cluster.get(port, path, { accept: '*/*', 'user-agent': 'python-requests/2.31.0' })).json.counters).toEqual(
    asked.json.counters,
  );
});

test('metrics tell of stages, models, replicas and the cache', async () => {
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
  const answer = async (_type: unknown, inputs: readonly unknown[]) => {
    await setTimeout(20);
    return (inputs as readonly Float64Array[]).map(([first = 0]) => ({ text: String(first), failed: first < 0 }));
  };
  await using _replica = startReplica(answer, { port: cluster.rpcPort });
  await cluster.replicasConnected(1);
  for (const input_batch of [[[1], [1], [-1]], [[1]]]) await cluster.query('/a/predict', { input_batch });
  const { text, json } = await cluster.get('query', '/metrics');
  expect(json).toBeUndefined();
  const value = (series: string): number =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.split(' ')[1],
    );
  expect({
    answered: value('clipper_predictions_total{application="a",reason=""}'),
    failed: value('clipper_predictions_total{application="a",reason="function_error"}'),
    latencies: value('clipper_prediction_latency_seconds_count{application="a"}'),
    within10s: value('clipper_prediction_latency_seconds_bucket{application="a",le="10"}'),
    within10ms: value('clipper_prediction_latency_seconds_bucket{application="a",le="0.01"}') <= 1,
    lookups: value('clipper_cache_lookups_total{application="a"}'),
    hits: value('clipper_cache_hits_total{application="a"}'),
    joined: value('clipper_joined_total{application="a"}'),
    inputs: value('clipper_replica_inputs_total{model="m:1",replica="0"}'),
    errors: value('clipper_function_errors_total{model="m:1"}'),
    replicas: value('clipper_replicas{model="m:1"}'),
    depth: value('clipper_queue_depth{model="m:1"}'),
    inFlight: value('clipper_batches_in_flight{model="m:1",replica="0"}'),
    entries: value('clipper_cache_entries'),
    largestBatch: value('clipper_batch_size_bucket{model="m:1",le="2.5"}') - value('clipper_batch_size_count{model="m:1"}'),
  }).toEqual({
    ...{ answered: 3, failed: 1, latencies: 4, within10s: 4, within10ms: true, lookups: 4, hits: 1, joined: 1 },
    ...{ inputs: 2, errors: 1, replicas: 1, depth: 0, inFlight: 0, entries: 1, largestBatch: 0 },
  });
  const batches = value('clipper_compute_seconds_count{model="m:1"}');
  expect(value('clipper_compute_seconds_sum{model="m:1"}')).toBeGreaterThanOrEqual(0.019 * batches);
  expect(value('clipper_queue_seconds_count{model="m:1"}')).toBe(2);
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(1e6);
  const own = (await cluster.get('query', '/metrics', { accept: 'application/json' })).json;
  const latency = own.histograms.find((entry: object) => 'app:a:prediction_latency' in entry)['app:a:prediction_latency'];
  expect(latency).toMatchObject({ unit: 'microseconds', size: '4' });
  expect(Number(latency.p99)).toBeGreaterThan(20_000);
  expect(Number(latency.max)).toBeGreaterThanOrEqual(Number(latency.p99));
});

test('metrics and failures of an application go with it, and those of a model with its last replica', async () => {
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
  {
    await using _replica = startReplica(async (_type, inputs) => inputs.map(() => ({ text: '1', failed: false })), {
      port: cluster.rpcPort,
    });
    await cluster.replicasConnected(1);
    await cluster.query('/a/predict', { input: [1] });
    await cluster.admin('delete_versioned_model', { model_name: 'm', model_version: '1' });
    await cluster.query('/a/predict', { input: [1] });
    expect((await cluster.get('query', '/a/queries')).json).toHaveLength(1);
    const { text } = await cluster.get('query', '/metrics');
    expect([text.includes('application="a"'), text.includes('model="m:1"')]).toEqual([true, true]);
  }
  await cluster.replicasConnected(0);
  await cluster.admin('delete_app', { name: 'a' });
  const { text } = await cluster.get('query', '/metrics');
  expect([text.includes('application="a"'), text.includes('model="m:1"')]).toEqual([false, false]);
  await cluster.addLinked({ app: 'a', model: 'n', inputType: 'doubles' });
  expect((await cluster.get('query', '/a/queries')).json).toEqual([]);
});
