import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createEndpoint, deployPredictFunction } from '../../src/client/deploy.ts';
import { wantedFor } from '../../src/replicas/autoscaler.ts';
import { eventually, quiet, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

describe('as many replicas are wanted', () => {
  const range = { min: 1, max: 10, targetUtilization: 0.5, scaleDownAfterMs: 1 };
  const idle = { utilization: 0, waitedShare: 0 };
  test.each([
    ['as are at work for the wanted share of their time', 4, { ...idle, utilization: 0.5 }, 4],
    ['as share the work at that share', 4, { ...idle, utilization: 1 }, 8],
    ['as share the work, but not more than may be', 8, { ...idle, utilization: 1 }, 10],
    ['as would do for less', 4, { ...idle, utilization: 0.25 }, 2],
    ['as there must be where nothing is to do', 4, idle, 1],
    ['and half as many more where queries wait for long', 4, { utilization: 0.5, waitedShare: 0.5 }, 6],
  ])('%s', (_what, now, load, expected) => {
    expect(wantedFor(now, { ...load, range })).toBe(expected);
  });

  test('none where none must be there', () => {
    expect(wantedFor(1, { ...idle, range: { ...range, min: 0 } })).toBe(0);
    expect(wantedFor(1, { utilization: 0.001, waitedShare: 0, range: { ...range, min: 0 } })).toBe(1);
  });
});

const slow = async (inputs: readonly Float64Array[]) => {
  await new Promise((resolve) => setTimeout(resolve, 40));
  return inputs.map(([x]) => x);
};
const base = { name: 'm', inputType: 'doubles', predict: slow, batchSize: 1, cache: false, ...quiet } as const;

test('replicas follow the load, and no query is lost on the way', async () => {
  await using clipper = await startedCluster();
  await createEndpoint(clipper, { ...base, replicas: { min: 1, max: 3, scaleDownAfterMs: 1_000 } });
  expect(await clipper.getNumReplicas('m')).toBe(1);
  let isOver = false;
  const failed: unknown[] = [];
  const asking = Array.from({ length: 6 }, async (_, worker) => {
    while (!isOver) {
      const answer = await clipper.predict('m', [worker]);
      if (answer.default) failed.push(answer);
    }
  });
  await eventually(async () => (await clipper.getNumReplicas('m')) === 3);
  isOver = true;
  await Promise.all(asking);
  await eventually(async () => (await clipper.getNumReplicas('m')) === 1);
  expect(failed).toEqual([]);
  const messages = (await clipper.getEvents()).filter(({ kind }) => kind === 'scaled').map(({ message }) => message);
  expect(messages[0]).toMatch(/m:1 goes from 1 to [23] replicas: its replicas are at work \d+ % of their time/);
  expect(messages.at(-1)).toMatch(/to 1 replicas: so many did for 1 s/);
});

test('none is there after a while of quiet, and the first query waits for one', async () => {
  await using clipper = await startedCluster();
  await createEndpoint(clipper, { ...base, replicas: { min: 0, max: 1, scaleDownAfterMs: 300 }, sloMicros: 5_000_000 });
  expect((await clipper.predict('m', [1])).output).toBe(1);
  await eventually(async () => (await clipper.getNumReplicas('m')) === 0);
  const asked = await Promise.all([2, 3, 4].map((n) => clipper.predict('m', [n])));
  expect(asked.map(({ output }) => output)).toEqual([2, 3, 4]);
});

test('a query that can not wait so long gets the default output within its objective, with the reason', async () => {
  await using clipper = await startedCluster();
  const replicas = { min: 0, max: 1, scaleDownAfterMs: 300 };
  await createEndpoint(clipper, { ...base, replicas, sloMicros: 30_000, defaultOutput: '"none"' });
  await eventually(async () => (await clipper.getNumReplicas('m')) === 0);
  const { output, defaultReason, defaultExplanation } = await clipper.predict('m', [2]);
  expect([output, defaultReason]).toEqual(['none', 'slo_queued']);
  expect(defaultExplanation).toContain('no replica was there yet');
  await eventually(async () => (await clipper.getNumReplicas('m')) === 1);
});

test('a replica that can not be started is not tried again for each query, and the answers say why', async () => {
  await using dir = await temporaryDir();
  await using clipper = await startedCluster({ stateDir: dir.path });
  await createEndpoint(clipper, { ...base, replicas: { min: 0, max: 2, scaleDownAfterMs: 100 } });
  await eventually(async () => (await clipper.getNumReplicas('m')) === 0);
  const replicas = join(dir.path, 'replicas');
  renameSync(replicas, `${replicas}-away`);
  writeFileSync(replicas, 'in the way');
  const { length: before } = await clipper.getEvents();
  // The first one waits for it.
  expect(await clipper.predict('m', [0])).toMatchObject({ default: true });
  const answers = [];
  for (let n = 1; n <= 30; n++) answers.push(await clipper.predict('m', [n]));
  expect((await clipper.getEvents()).length - before).toBeLessThan(5);
  expect(answers.at(-1)).toMatchObject({
    defaultReason: 'no_live_replica',
    defaultExplanation: expect.stringContaining('ENOTDIR'),
  });
  rmSync(replicas);
  renameSync(`${replicas}-away`, replicas);
  await eventually(async () => (await clipper.predict('m', [99])).output === 99);
});

test('a version that sleeps is woken by its share of the traffic', async () => {
  await using clipper = await startedCluster();
  await createEndpoint(clipper, { ...base, sloMicros: 5_000_000 });
  const second = async (inputs: readonly Float64Array[]) => inputs.map(() => 'second');
  const replicas = { min: 0, max: 1, scaleDownAfterMs: 300 };
  await deployPredictFunction(clipper, { ...base, predict: second, current: false, replicas });
  await eventually(async () => (await clipper.getNumReplicas('m', 2)) === 0);
  await clipper.setTraffic('m', { '1': 1, '2': 1 });
  const answers = await Promise.all([1, 2, 3, 4].map((n) => clipper.predict('m', [n])));
  expect(answers.filter(({ output }) => output === 'second')).toHaveLength(2);
});
