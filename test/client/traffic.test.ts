import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClipperConnection } from '../../src/client/connection.ts';
import { createEndpoint, deployPredictFunction } from '../../src/client/deploy.ts';
import { eventually, quiet, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

type Predict = (inputs: readonly Float64Array[]) => unknown[];
const one: Predict = (inputs) => inputs.map(([x = 0]) => x);
const two: Predict = (inputs) => inputs.map(([x = 0]) => x + 0.5);

async function twoVersions(clipper: ClipperConnection, first: Predict = one, second: Predict = two): Promise<void> {
  const options = { name: 'm', inputType: 'doubles', ...quiet } as const;
  await createEndpoint(clipper, { ...options, predict: first });
  await deployPredictFunction(clipper, { ...options, predict: second, current: false });
}

/** Asks for inputs that were not asked for yet; returns how many each version answered. */
async function ask(clipper: ClipperConnection, count: number, { from = 0, key }: { from?: number; key?: string } = {}) {
  const counts = { one: 0, two: 0, failed: 0 };
  for (let n = from; n < from + count; n++) {
    const { output, default: isDefault } = await clipper.predict('m', [n], { key });
    counts[isDefault ? 'failed' : output === n ? 'one' : 'two']++;
  }
  return counts;
}

test('is split between versions, and all goes to the current one again', async () => {
  await using clipper = await startedCluster();
  await twoVersions(clipper);
  await clipper.setTraffic('m', { '1': 0.75, '2': 0.25 });
  const counts = await ask(clipper, 200);
  expect(Math.abs(counts.two - 50)).toBeLessThanOrEqual(2);
  expect(counts.failed).toBe(0);
  const report = await clipper.getTraffic('m');
  expect(report).toMatchObject({ name: 'm', weights: { '1': 0.75, '2': 0.25 } });
  expect(report?.versions.map(({ version, queries, failures }) => ({ version, queries, failures }))).toEqual(
    expect.arrayContaining([
      { version: '1', queries: counts.one, failures: 0 },
      { version: '2', queries: counts.two, failures: 0 },
    ]),
  );
  expect(report?.versions.flatMap(({ latency }) => Object.values(latency)).every(Number.isInteger)).toBe(true);
  expect(await clipper.predict('m', [1_000], { version: '2' })).toMatchObject({ output: 1_000.5 });
  const answers = new Set<unknown>();
  for (let n = 2_000; n < 2_020; n++) answers.add((await clipper.predict('m', [n], { key: 'user-1' })).output === n);
  expect(answers.size).toBe(1);
  await clipper.setTraffic('m', undefined);
  expect([await ask(clipper, 20, { from: 3_000 }), await clipper.getTraffic('m')]).toEqual([
    { one: 20, two: 0, failed: 0 },
    undefined,
  ]);
});

test('goes to a version that is made current, and is split no more', async () => {
  await using clipper = await startedCluster();
  await twoVersions(clipper);
  await clipper.setTraffic('m', { '1': 0.5, '2': 0.5 });
  await clipper.setModelVersion('m', '2');
  expect(await ask(clipper, 20)).toEqual({ one: 0, two: 20, failed: 0 });
});

test('is answered by versions that have a replica', async () => {
  await using clipper = await startedCluster();
  await twoVersions(clipper);
  await clipper.setTraffic('m', { '1': 0.5, '2': 0.5 });
  await clipper.setNumReplicas('m', 0, '2');
  expect(await ask(clipper, 20)).toEqual({ one: 20, two: 0, failed: 0 });
});

test('is split the same after a restart, and no more to a version that is deleted', async () => {
  await using dir = await temporaryDir();
  const first = await startedCluster({ stateDir: dir.path });
  await twoVersions(first);
  await first.setTraffic('m', { '1': 0.5, '2': 0.5 });
  await first.close();
  await using clipper = await startedCluster({ stateDir: dir.path });
  await eventually(async () => (await clipper.getAllModelReplicas()).length === 2);
  const { one: ones, two: twos } = await ask(clipper, 40);
  expect([Math.abs(ones - twos) <= 2, ones + twos]).toEqual([true, 40]);
  await clipper.unregisterVersionedModels({ m: ['2'] });
  expect(await ask(clipper, 20, { from: 100 })).toEqual({ one: 20, two: 0, failed: 0 });
});

test('is copied to a shadow, which answers nobody', async () => {
  await using clipper = await startedCluster();
  const nearly: Predict = (inputs) =>
    inputs.map(([x = 0]) => {
      if (x === 7) throw new Error('seven');
      return x % 10 === 0 ? x + 2 : x;
    });
  await twoVersions(clipper, one, nearly);
  await clipper.setTraffic('m', undefined, { shadow: '2' });
  expect(await ask(clipper, 50)).toEqual({ one: 50, two: 0, failed: 0 });
  await eventually(async () => (await clipper.getTraffic('m'))?.comparison?.compared === 49);
  const { comparison } = (await clipper.getTraffic('m')) ?? {};
  expect(comparison).toMatchObject({ compared: 49, different: 5, failures: 1, dropped: 0 });
  expect(comparison?.meanAbsoluteDifference).toBeCloseTo((5 * 2) / 49);
  expect(comparison?.differences).toHaveLength(5);
  expect(comparison?.differences[1]).toMatchObject({ output: '10', shadowOutput: '12' });
  expect(comparison?.latency.p99Micros).toBeGreaterThan(0);
  const metrics = await (await fetch(`${clipper.queryUrl}/metrics`)).text();
  expect(metrics).toContain('clipper_shadow_different{model="m:2"} 5');
  expect(metrics).toContain('clipper_split_latency_seconds_count{model="m:1"} 50');
});

test('a shadow that hangs or is gone changes no answer', async () => {
  await using clipper = await startedCluster();
  await twoVersions(clipper, one, () => {
    for (;;);
  });
  await clipper.setTraffic('m', undefined, { shadow: '2' });
  expect(await ask(clipper, 20)).toEqual({ one: 20, two: 0, failed: 0 });
  await clipper.setNumReplicas('m', 0, '2');
  expect(await ask(clipper, 20, { from: 100 })).toEqual({ one: 20, two: 0, failed: 0 });
  expect((await clipper.getTraffic('m'))?.comparison?.dropped).toBe(20);
});

test('has a version started that was scaled to none, as one that answers or as a shadow', async () => {
  await using clipper = await startedCluster();
  const options = { name: 'm', inputType: 'doubles', cache: false, ...quiet } as const;
  await createEndpoint(clipper, { ...options, predict: one });
  const replicas = { min: 0, max: 1, scaleDownAfterMs: 100 };
  await deployPredictFunction(clipper, { ...options, predict: two, current: false, replicas });
  for (const shadow of [undefined, '2']) {
    await eventually(async () => (await clipper.getNumReplicas('m', '2')) === 0);
    await clipper.setTraffic('m', shadow === undefined ? { '1': 1, '2': 1 } : undefined, { shadow });
    await eventually(async () => {
      expect((await ask(clipper, 4)).failed).toBe(0);
      const report = await clipper.getTraffic('m');
      return (report?.comparison?.compared ?? report?.versions.find(({ version }) => version === '2')?.queries ?? 0) > 0;
    });
    await clipper.setTraffic('m', undefined);
  }
});

describe('by a rule', () => {
  const rule = { minQueries: 20, maxErrorRate: 0.1, holdMs: 300 };

  test('a version that does well is promoted', async () => {
    await using clipper = await startedCluster();
    await twoVersions(clipper);
    await clipper.setTraffic('m', { '1': 0.5, '2': 0.5 }, { rule });
    await ask(clipper, 60);
    await eventually(async () => (await clipper.getModelInfo('m', '2'))?.isCurrent === true);
    expect(await ask(clipper, 20, { from: 100 })).toEqual({ one: 0, two: 20, failed: 0 });
    await eventually(async () => (await clipper.getEvents()).some(({ kind }) => kind === 'promoted'));
  });

  test('one that fails is given up, and the current one answers everything', async () => {
    await using clipper = await startedCluster();
    await twoVersions(clipper, one, () => {
      throw new Error('wrong weights');
    });
    await clipper.setTraffic('m', { '1': 0.5, '2': 0.5 }, { rule });
    expect((await ask(clipper, 60)).failed).toBeGreaterThan(20);
    await eventually(async () => (await clipper.getTraffic('m')) === undefined);
    expect(await ask(clipper, 20, { from: 100 })).toEqual({ one: 20, two: 0, failed: 0 });
    const event = (await clipper.getEvents()).find(({ kind }) => kind === 'rolled_back');
    expect(event).toMatchObject({ model: 'm', version: '2', message: expect.stringContaining('100.00 %') });
  });

  test('one that did well, and then can not be started any more, is given up and never promoted', async () => {
    await using dir = await temporaryDir();
    const flag = join(dir.path, 'broken');
    const setup = async () => {
      const { existsSync } = await import('node:fs');
      if (existsSync(flag)) throw new Error('the model file is broken');
    };
    await using clipper = await startedCluster();
    const options = { name: 'm', inputType: 'doubles', ...quiet } as const;
    await createEndpoint(clipper, { ...options, predict: one });
    await deployPredictFunction(clipper, { ...options, predict: two, setup, current: false });
    await clipper.setTraffic('m', { '1': 0.5, '2': 0.5 }, { rule: { ...rule, holdMs: 1_000 } });
    expect((await ask(clipper, 60)).failed).toBe(0);
    writeFileSync(flag, '');
    const [status] = await clipper.getModelStatus();
    for (const { pid = 0 } of status?.versions[1]?.replicas.live ?? []) process.kill(pid, 'SIGKILL');
    let failed = 0;
    for (let from = 100; (await clipper.getTraffic('m')) !== undefined; from++)
      failed += (await ask(clipper, 1, { from })).failed;
    // What the replica was asked when it was killed may be lost with it.
    expect(failed).toBeLessThanOrEqual(1);
    const events = await clipper.getEvents();
    expect(events.find(({ kind }) => kind === 'rolled_back')?.message).toMatch(
      /given up: a replica died 6 times.*file is broken/s,
    );
    expect(events.filter(({ kind }) => kind === 'promoted' || kind === 'switched')).toEqual([]);
  });
});

test.each([
  [{ '1': 1, '3': 1 }, {}, 'E_UNKNOWN_MODEL', "version '3'"],
  [{ '1': 0 }, {}, 'E_INVALID_OPTION', 'above 0'],
  [{ '1': -1 }, {}, 'E_INVALID_OPTION', '>=0'],
  [{ '1': 1 }, { rule: {} }, 'E_INVALID_OPTION', 'beside the current one'],
  [undefined, { rule: {} }, 'E_INVALID_OPTION', 'beside the current one'],
  [{ '1': 1, '2': 1 }, { shadow: '2' }, 'E_INVALID_OPTION', 'shadow'],
  [{ '1': 1 }, { shadows: '2' }, 'E_INVALID_OPTION', 'shadows'],
])('refuses %j with %j', async (weights, options, code, message) => {
  await using clipper = await startedCluster();
  for (const version of ['2', '1']) await clipper.registerModel({ name: 'm', version, inputType: 'doubles' });
  const refused = (async () => clipper.setTraffic('m', weights as never, options as never))();
  await expect(refused).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
});
