import type { ClipperConnection } from '../../src/client/connection.ts';
import { createEndpoint, deployPredictFunction } from '../../src/client/deploy.ts';
import { eventually, isAlive, quiet, startedCluster } from '../helpers/started-cluster.ts';

let clipper: ClipperConnection;
beforeAll(async () => {
  clipper = await startedCluster({ cacheBytes: 0 });
});
afterAll(() => clipper.close());

const pids = async (name: string): Promise<Set<number>> => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => clipper.predict(name, [1])));
  return new Set(answers.map(({ output }) => output as number));
};
/** Slow enough for every replica to get its share. */
const pidAfterWhile = async (inputs: Float64Array[]) => {
  await new Promise((resolve) => setTimeout(resolve, 5));
  return inputs.map(() => process.pid);
};

describe('replicas', () => {
  test('are started and stopped as wanted, and share the queries', async () => {
    await createEndpoint(clipper, {
      name: 'scale',
      inputType: 'doubles',
      predict: pidAfterWhile,
      batchSize: 1,
      replicas: 2,
      ...quiet,
    });
    expect((await pids('scale')).size).toBe(2);
    await clipper.setNumReplicas('scale', 3);
    expect(await clipper.getNumReplicas('scale')).toBe(3);
    const before = await pids('scale');
    expect(before.size).toBe(3);
    await clipper.setNumReplicas('scale', 1);
    const after = await pids('scale');
    expect([await clipper.getNumReplicas('scale'), after.size]).toEqual([1, 1]);
    expect([...before].filter(isAlive)).toEqual([...after]);
    const [left] = (await clipper.getAllModelReplicas()).filter(({ name }) => name === 'scale');
    expect(await clipper.getModelReplicaInfo('scale', 1, left?.replicaId ?? -1)).toEqual(left);
    expect(await clipper.getModelReplicaInfo('scale', 1, 7)).toBeUndefined();
  });

  test('that are killed are started again, and their queries answered', async () => {
    await createEndpoint(clipper, { name: 'phoenix', inputType: 'doubles', predict: pidAfterWhile, replicas: 2, ...quiet });
    const [victim = 0] = await pids('phoenix');
    const answers = Array.from({ length: 50 }, (_, index) => clipper.predict('phoenix', [index]));
    process.kill(victim, 'SIGKILL');
    expect((await Promise.all(answers)).filter((answer) => answer.default)).toEqual([]);
    await eventually(async () => (await clipper.getNumReplicas('phoenix')) === 2);
    expect(await pids('phoenix')).not.toContain(victim);
  });

  test('of a model whose current version was deleted are of no version, which is said', async () => {
    for (const version of [1, 2]) await clipper.registerModel({ name: 'headless', version, inputType: 'doubles' });
    await clipper.unregisterVersionedModels({ headless: [2] });
    await expect(clipper.getNumReplicas('headless')).rejects.toThrow("No version of model 'headless' is current; name one of 1");
    expect(await clipper.getNumReplicas('headless', 1)).toBe(0);
  });

  test('are as many as one of several calls at once wants, and no call fails another', async () => {
    await createEndpoint(clipper, { name: 'busy', inputType: 'doubles', predict: pidAfterWhile, ...quiet });
    await Promise.all([3, 0, 2].map((replicas) => clipper.setNumReplicas('busy', replicas)));
    // Which of them comes last is up to the network.
    expect([3, 0, 2]).toContain(await clipper.getNumReplicas('busy'));
    await clipper.setNumReplicas('busy', 2);
    expect(await clipper.getNumReplicas('busy')).toBe(2);
    await expect(clipper.setNumReplicas('busy', 1e9)).rejects.toMatchObject({ code: 'E_INVALID_OPTION' });
    await expect(clipper.setNumReplicas('busy', 1.5)).rejects.toThrow(
      'replicas: must be a whole number, or { min, max }, got 1.5',
    );
    await expect(clipper.setNumReplicas('busy', 1, 9)).rejects.toThrow("version '9' exists: its versions are 1");
  });

  test('leave the default output behind when all are stopped', async () => {
    await createEndpoint(clipper, {
      name: 'stopped',
      inputType: 'doubles',
      predict: (xs) => xs.map(() => 'on'),
      defaultOutput: 'off',
      ...quiet,
    });
    await clipper.stopModels('stopped');
    expect(await clipper.predict('stopped', [1])).toMatchObject({
      output: 'off',
      default: true,
      defaultReason: 'no_live_replica',
    });
    await clipper.setNumReplicas('stopped', 1);
    expect((await clipper.predict('stopped', [1])).output).toBe('on');
  });

  test('of versions are stopped by name, by version, or but for the current one', async () => {
    const versions = async () =>
      (await clipper.getAllModelReplicas()).filter(({ name }) => name === 'many').map(({ version }) => version);
    for (const version of [1, 2, 3]) {
      await deployPredictFunction(clipper, { name: 'many', version, inputType: 'doubles', predict: (xs) => xs, ...quiet });
    }
    await clipper.stopVersionedModels({ many: ['2'] });
    expect((await versions()).sort()).toEqual(['1', '3']);
    await clipper.stopInactiveModelVersions(['many']);
    expect(await versions()).toEqual(['3']);
    await clipper.stopAllModelContainers();
    expect(await clipper.getAllModelReplicas()).toEqual([]);
  });
});

describe('an answer says why it is the default', () => {
  test('where the function threw, and its neighbours are answered', async () => {
    const predict = (inputs: Float64Array[]) => inputs.map((xs) => (xs[0] === 13 ? raise() : xs[0]));
    const raise = (): never => {
      throw new RangeError('unlucky');
    };
    await createEndpoint(clipper, { name: 'raise', inputType: 'doubles', predict, defaultOutput: '-1', ...quiet });
    const answers = await clipper.predictBatch('raise', [[12], [13], [14]]);
    expect(answers).toMatchObject([
      { output: 12 },
      { output: -1, default: true, defaultReason: 'function_error' },
      { output: 14 },
    ]);
    expect(answers[1]?.defaultExplanation).toContain('RangeError: unlucky');
    const { explain } = await clipper.predict('raise', [13], { explain: true });
    expect(explain).toMatchObject({ model: 'raise:1', error: { name: 'RangeError', message: 'unlucky' } });
    expect(explain?.error?.stack).toMatch(/at raise \(.*operate\.test\.ts:\d+:\d+\)/);
    const {
      queued = -1,
      batched = -1,
      sent = -1,
      computed = -1,
      answered,
      batchSize,
      computeMicros = -1,
    } = explain?.timeline ?? {};
    const times = [0, queued, batched, sent, computed, answered];
    expect(times).toEqual([...times].sort((a = 0, b = 0) => a - b));
    expect(batchSize).toBe(1);
    expect(computeMicros).toBeLessThanOrEqual(computed - sent);
    const log = (await clipper.getLogs({ name: 'raise' })).join('\n');
    expect(log).toMatch(/raise-1-0-\w+ \| predict failed: RangeError: unlucky/);
  });

  test.each([
    ['too few outputs', () => [], /returned 0 outputs for 1 input/],
    ['no array', () => 'both', /array.*returned string/],
  ])('where it returned %s', async (what, predict, explanation) => {
    const name = what.replaceAll(' ', '-');
    await createEndpoint(clipper, { name, inputType: 'doubles', predict: predict as never, batchSize: 2, ...quiet });
    const answers = await clipper.predictBatch(name, [[1], [2]]);
    expect(answers.map(({ defaultReason }) => defaultReason)).toEqual(['function_error', 'function_error']);
    expect(answers[0]?.defaultExplanation).toMatch(explanation);
  });

  test('where it took longer than the objective', async () => {
    const predict = async (inputs: Float64Array[]) => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      return inputs.map(() => 'late');
    };
    await createEndpoint(clipper, { name: 'late', inputType: 'doubles', predict, sloMicros: 50_000, batchSize: 1, ...quiet });
    // A replica has two batches at a time, of which it works on one.
    const answers = await clipper.predictBatch('late', [[1], [2], [3]]);
    expect(answers).toMatchObject(answers.map(() => ({ output: 'None', default: true })));
    expect(answers.map(({ defaultReason }) => defaultReason)).toEqual(['slo_computing', 'slo_computing', 'slo_queued']);
    const tooLate = 'Failed to retrieve a prediction response within the specified latency SLO';
    expect(answers[0]?.defaultExplanation).toContain(tooLate);
    const failed = await clipper.getFailedQueries('late');
    expect(failed.map(({ queryId }) => queryId)).toEqual(answers.map(({ queryId }) => queryId).reverse());
    expect(failed[0]).toMatchObject({ defaultReason: 'slo_queued', model: 'late:1', timeline: { received: 0 } });
    expect(failed[0]?.timeline.answered).toBeGreaterThanOrEqual(45_000);
  });
});

test('applications and models are listed, linked and unlinked', async () => {
  const settings = { batchSize: 7, batchDelayMicros: 100, hedge: true, cache: { ttlMicros: 1_000_000 } };
  await deployPredictFunction(clipper, {
    name: 'listed',
    inputType: 'ints' as 'integers',
    predict: (xs) => xs,
    labels: ['beta'],
    ...quiet,
    ...settings,
  });
  await clipper.registerApplication({ name: 'app', inputType: 'integers', model: 'listed', cache: false });
  expect(await clipper.getAppInfo('app')).toEqual({
    name: 'app',
    inputType: 'integers',
    defaultOutput: 'None',
    sloMicros: 3_000_000,
    cache: false,
    apiKeys: 0,
    linkedModels: ['listed'],
  });
  expect(await clipper.getModelInfo('listed', 1)).toMatchObject({
    name: 'listed',
    version: '1',
    inputType: 'integers',
    labels: ['beta'],
    isCurrent: true,
    ...settings,
  });
  expect([await clipper.getAppInfo('nothing'), await clipper.getModelInfo('nothing', 1)]).toEqual([undefined, undefined]);
  await clipper.unlinkModelFromApp('app', 'listed');
  expect(await clipper.predict('app', [1])).toMatchObject({ default: true, defaultReason: 'no_model_linked' });
  await clipper.linkModelToApp('app', 'listed');
  expect((await clipper.predict('app', [1])).default).toBe(false);
  await clipper.unregisterApplication('app');
  await expect(clipper.predict('app', [1])).rejects.toMatchObject({ code: 'E_UNKNOWN_APPLICATION' });
  expect(await clipper.inspectInstance()).toMatchObject({
    counters: expect.arrayContaining([{ 'model:listed:1:num_predictions': { count: '1' } }]),
  });
});

test('an application that can not be linked is not left behind', async () => {
  const wrong = clipper.registerApplication({ name: 'orphan', inputType: 'doubles', model: 'nowhere' });
  await expect(wrong).rejects.toMatchObject({ message: expect.stringContaining('nowhere') });
  expect(await clipper.getAppInfo('orphan')).toBeUndefined();
});
