import { setTimeout } from 'node:timers/promises';
import { answering, ask, metric } from '../helpers/asking.ts';
import { type Cluster, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { startReplica } from '../helpers/replica.ts';
import { startSteeredReplica } from '../helpers/steered-replica.ts';
import { until } from '../helpers/until.ts';

quietConsole();

/** A server with the application `a` linked to version 1 of model `m`. */
async function startLinked({ settings = {}, sloMs = 10_000 }: { settings?: object; sloMs?: number } = {}): Promise<Cluster> {
  const cluster = await startCluster();
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles', sloMs, settings });
  return cluster;
}

/** Counts the inputs that it computes. */
function counting(cluster: Cluster) {
  const seen: number[] = [];
  const replica = startReplica(
    answering('', async (values) => void seen.push(...values)),
    { port: cluster.rpcPort },
  );
  return { seen, [Symbol.asyncDispose]: () => replica[Symbol.asyncDispose]() };
}

describe('identical queries in flight', () => {
  test('share one computation, and say so', async () => {
    await using cluster = await startLinked();
    await cluster.addApp({ app: 'b', model: 'm', inputType: 'doubles' });
    await using replica = startSteeredReplica({ port: cluster.rpcPort });
    await cluster.replicasConnected(1);
    const first = ask(cluster, 'a', 1);
    const batch = await replica.batch(0);
    const others = [ask(cluster, 'a', 1), ask(cluster, 'b', 1)];
    await until(async () => (await metric(cluster, 'clipper_joined_total')) === 2, 'both to join');
    batch.answer('v');
    expect([await first, ...(await Promise.all(others))].map(({ output }) => output)).toEqual(['v1', 'v1', 'v1']);
    expect((await first).explain.timeline.joined).toBeUndefined();
    for (const other of others) expect((await other).explain.timeline).toMatchObject({ joined: true, batch_size: 1 });
    expect(replica.batches).toHaveLength(1);
    expect((await ask(cluster, 'a', 1)).explain.timeline).toMatchObject({ cached: true });
  });

  test('are answered also when the first of them was too late', async () => {
    await using cluster = await startLinked({ sloMs: 200 });
    await cluster.addApp({ app: 'patient', model: 'm', inputType: 'doubles' });
    await using replica = startSteeredReplica({ port: cluster.rpcPort });
    await cluster.replicasConnected(1);
    const first = ask(cluster, 'a', 1);
    const batch = await replica.batch(0);
    const second = ask(cluster, 'patient', 1);
    expect(await first).toMatchObject({ reason: 'slo_computing' });
    batch.answer();
    expect(await second).toMatchObject({ output: 1, reason: undefined });
    expect((await second).explain.timeline).toMatchObject({ joined: true });
  });

  test('are computed also when the first of them was too late while it waited', async () => {
    await using cluster = await startLinked({ sloMs: 400, settings: { batch_size: 1 } });
    await cluster.addApp({ app: 'patient', model: 'm', inputType: 'doubles' });
    await using replica = startSteeredReplica({ port: cluster.rpcPort, packedExtension: false });
    await cluster.replicasConnected(1);
    // It learns that a batch takes some milliseconds.
    for (let value = 100; value < 110; value++) {
      const taught = ask(cluster, 'patient', value);
      const lesson = await replica.batch(replica.batches.length);
      await setTimeout(10);
      lesson.answer();
      await taught;
    }
    const before = ask(cluster, 'patient', 200);
    const batch = await replica.batch(replica.batches.length);
    const first = ask(cluster, 'a', 1);
    await until(async () => (await metric(cluster, 'clipper_queue_depth')) === 1, 'the first to wait');
    const second = ask(cluster, 'patient', 1);
    const third = ask(cluster, 'patient', 2);
    expect(await first).toMatchObject({ reason: 'slo_queued' });
    const count = replica.batches.length;
    batch.answer();
    for (const at of [count, count + 1]) (await replica.batch(at)).answer();
    const outputs = (await Promise.all([before, second, third])).map(({ output }) => output);
    expect(outputs).toEqual([200, 1, 2]);
  });

  test('all fail when it does, and the next is computed anew', async () => {
    await using cluster = await startLinked();
    const failing = { isOn: true };
    const work = async (): Promise<void> => {
      await setTimeout(50);
      if (failing.isOn) throw new RangeError('ill');
    };
    await using _replica = startReplica(answering('', work), { port: cluster.rpcPort });
    await cluster.replicasConnected(1);
    const all = await cluster.query('/a/predict', { input_batch: [[1], [1], [1]] });
    const reasons = all.json.batch_predictions.map((answer: { default_reason: string }) => answer.default_reason);
    expect(reasons).toEqual(['function_error', 'function_error', 'function_error']);
    expect(await metric(cluster, 'clipper_joined_total')).toBe(2);
    failing.isOn = false;
    expect(await ask(cluster, 'a', 1)).toMatchObject({ output: 1, reason: undefined });
  });

  test('do not wait for a replica that hangs once its query was too late', async () => {
    await using cluster = await startLinked({ sloMs: 200, settings: { batch_size: 1 } });
    await using hung = startSteeredReplica({ port: cluster.rpcPort });
    await cluster.replicasConnected(1);
    const first = ask(cluster, 'a', 1);
    await hung.batch(0);
    await using _well = startReplica(answering('well'), { port: cluster.rpcPort });
    await cluster.replicasConnected(2);
    // The next is asked before the one before it is given up: somebody waits for it all the time.
    const overlapping = [first];
    for (let count = 0; count < 12; count++) {
      await setTimeout(50);
      overlapping.push(ask(cluster, 'a', 1));
    }
    const last = await overlapping.at(-1);
    expect(last).toMatchObject({ output: 'well1', reason: undefined });
  });
});

describe('what is kept', () => {
  test('is forgotten after its time', async () => {
    await using cluster = await startLinked({ settings: { cache: { ttl_micros: 300_000 } } });
    await using replica = counting(cluster);
    await cluster.replicasConnected(1);
    expect((await ask(cluster, 'a', 1)).explain.timeline.cached).toBeUndefined();
    expect((await ask(cluster, 'a', 1)).explain.timeline.cached).toBe(true);
    await setTimeout(350);
    expect((await ask(cluster, 'a', 1)).explain.timeline.cached).toBeUndefined();
    expect(replica.seen).toEqual([1, 1]);
  });

  test.each([
    ['model', { settings: { cache: false } }, {}],
    ['application', {}, { cache: false }],
  ])('is nothing where the %s says so, and nothing is shared', async (_whose, ofModel, ofApp) => {
    await using cluster = await startLinked(ofModel);
    await cluster.addApp({ app: 'b', model: 'm', inputType: 'doubles', settings: ofApp });
    await using replica = counting(cluster);
    await cluster.replicasConnected(1);
    await cluster.query('/b/predict', { input_batch: [[1], [1]] });
    expect(await ask(cluster, 'b', 1)).toMatchObject({ output: 1 });
    expect(replica.seen).toEqual([1, 1, 1]);
    expect(await metric(cluster, 'clipper_cache_lookups_total')).toBe(0);
  });
});
