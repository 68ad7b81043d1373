import { once } from 'node:events';
import { existsSync, mkdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { ClipperConnection } from '../../src/client/connection.ts';
import { createEndpoint, deployPredictFunction } from '../../src/client/deploy.ts';
import { mountMemory, testWithMounts } from '../helpers/mounts.ts';
import { eventually, isAlive, quiet, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

/** A function that tells which version it is of. */
const version = (name: string) => (inputs: readonly Float64Array[]) => inputs.map(([x]) => `${name} ${x}`);

const deploy = (clipper: ClipperConnection, name: string, rest: object = {}) =>
  deployPredictFunction(clipper, { name: 'm', inputType: 'doubles', predict: version(name), ...quiet, ...rest });

const ask = async (clipper: ClipperConnection, input = 1): Promise<unknown> => (await clipper.predict('m', [input])).output;

async function kill(clipper: ClipperConnection): Promise<void> {
  const pid = clipper.cluster?.pid ?? 0;
  process.kill(pid, 'SIGKILL');
  await eventually(() => !isAlive(pid));
}

describe('a server that was killed and is started again on its folder', () => {
  test('has everything that was acknowledged, and serves it again', async () => {
    await using dir = await temporaryDir();
    const first = await startedCluster({ stateDir: dir.path });
    await createEndpoint(first, { name: 'm', inputType: 'doubles', predict: version('one'), sloMicros: 900_000, ...quiet });
    await deploy(first, 'two', { replicas: 2, labels: ['x'], env: { A: 'b' } });
    await deploy(first, 'three', { current: false });
    await first.stopVersionedModels({ m: ['1'] });
    await first.registerApplication({ name: 'other', inputType: 'strings', defaultOutput: 'd', cache: false });
    const before = { apps: await first.getAllApps(), models: await first.getAllModels() };
    expect(await ask(first)).toBe('two 1');
    await kill(first);
    await using second = await startedCluster({ stateDir: dir.path });
    expect({ apps: await second.getAllApps(), models: await second.getAllModels() }).toEqual(before);
    await eventually(async () => (await second.getAllModelReplicas()).length === 3);
    const versions = (await second.getAllModelReplicas()).map((replica) => replica.version).sort();
    // Those of the first were stopped, and are not started again.
    expect(versions).toEqual(['2', '2', '3']);
    expect(await ask(second)).toBe('two 1');
    expect((await second.predict('m', [2], { version: '3' })).output).toBe('three 2');
    await second.setModelVersion('m', '1');
    expect(await ask(second)).toBe('one 1');
    await first.close();
  });

  test('keeps a number of replicas that was set, and a switch', async () => {
    await using dir = await temporaryDir();
    const first = await startedCluster({ stateDir: dir.path });
    await deploy(first, 'one');
    await deploy(first, 'two');
    await Promise.all([first.setNumReplicas('m', 3, '1'), first.setModelVersion('m', '1')]);
    await kill(first);
    await using second = await startedCluster({ stateDir: dir.path });
    await eventually(async () => (await second.getNumReplicas('m')) === 3);
    expect((await second.getModelInfo('m', '1'))?.isCurrent).toBe(true);
    await first.close();
  });

  testWithMounts('serves also where a bundle that nobody needs can not be taken away', async () => {
    await using dir = await temporaryDir();
    const held = join(dir.path, 'bundles', 'held');
    using _mount = mountMemory(join(held, 'mount'));
    const old = new Date(Date.now() - 3_600_000);
    utimesSync(held, old, old);
    await using clipper = await startedCluster({ stateDir: dir.path });
    await createEndpoint(clipper, { name: 'm', inputType: 'doubles', predict: version('one'), ...quiet });
    await deploy(clipper, 'two', { current: false });
    await clipper.management.post('/admin/delete_versioned_model', { model_name: 'm', model_version: '2' });
    expect(await ask(clipper)).toBe('one 1');
  });

  test('ends in peace with SIGTERM, and has everything too', async () => {
    await using dir = await temporaryDir();
    const first = await startedCluster({ stateDir: dir.path });
    await deploy(first, 'one');
    await first.close();
    await using second = await startedCluster({ stateDir: dir.path });
    await eventually(async () => (await second.getNumReplicas('m')) === 1);
  });
});

describe('versions', () => {
  test('one that is not to be current waits to be switched to', async () => {
    await using clipper = await startedCluster();
    await createEndpoint(clipper, { name: 'm', inputType: 'doubles', predict: version('one'), ...quiet });
    await deploy(clipper, 'two', { current: false });
    expect(await ask(clipper)).toBe('one 1');
    await clipper.setModelVersion('m', '2');
    expect(await ask(clipper)).toBe('two 1');
  });

  test('roll back to one whose replicas were stopped, without a query that fails', async () => {
    await using clipper = await startedCluster();
    await createEndpoint(clipper, { name: 'm', inputType: 'doubles', predict: version('one'), replicas: 2, ...quiet });
    await deploy(clipper, 'two');
    await clipper.stopInactiveModelVersions('m');
    await eventually(async () => (await clipper.getNumReplicas('m', '1')) === 0);
    const answers: unknown[] = [];
    let isOver = false;
    const asking = (async () => {
      for (let n = 0; !isOver; n++) answers.push(await clipper.predict('m', [n]));
    })();
    await clipper.setModelVersion('m', '1');
    expect(await clipper.getNumReplicas('m')).toBe(2);
    await clipper.stopInactiveModelVersions('m');
    await setTimeout(50);
    isOver = true;
    await asking;
    expect(answers.filter((answer) => (answer as { default: boolean }).default)).toEqual([]);
    expect(new Set(answers.map((answer) => String((answer as { output: unknown }).output).split(' ')[0]))).toEqual(
      new Set(['one', 'two']),
    );
  });

  test('no query is lost to a scale-down', async () => {
    await using clipper = await startedCluster();
    const slow = async (inputs: readonly Float64Array[]) => {
      await new Promise((resolve) => globalThis.setTimeout(resolve, 30));
      return inputs.map(([x]) => x);
    };
    await createEndpoint(clipper, { name: 'm', inputType: 'doubles', predict: slow, replicas: 3, batchSize: 2, ...quiet });
    const asked = Array.from({ length: 60 }, (_, n) => clipper.predict('m', [n]));
    await setTimeout(60);
    await clipper.setNumReplicas('m', 1);
    const more = Array.from({ length: 20 }, (_, n) => clipper.predict('m', [100 + n]));
    await setTimeout(20);
    await clipper.setNumReplicas('m', 0);
    const answers = await Promise.all([...asked, ...more]);
    expect(answers.filter((answer) => answer.default)).toEqual([]);
    expect(await clipper.predict('m', [999])).toMatchObject({ default: true, defaultReason: 'no_live_replica' });
  });

  test('a deleted one stops, and its bundle goes when nobody needs it', async () => {
    await using clipper = await startedCluster();
    const { digest } = await deploy(clipper, 'one');
    const bundle = join(clipper.cluster?.storeDir ?? '', digest);
    await deploy(clipper, 'two');
    await clipper.unregisterVersionedModels({ m: ['1'] });
    await eventually(async () => (await clipper.getAllModelReplicas()).every((replica) => replica.version === '2'));
    // One that was put there a moment ago may be about to be deployed.
    expect(existsSync(bundle)).toBe(true);
    const old = new Date(Date.now() - 3_600_000);
    utimesSync(bundle, old, old);
    const needed = join(clipper.cluster?.storeDir ?? '', 'needed');
    mkdirSync(needed);
    await clipper.unregisterVersionedModels({ m: [2] });
    await eventually(() => !existsSync(bundle));
    expect(existsSync(needed)).toBe(true);
  });

  test('replicas that die before they answer anything are given up, with the reason', async () => {
    await using dir = await temporaryDir();
    const flag = join(dir.path, 'broken');
    await using clipper = await startedCluster();
    const setup = async () => {
      const { existsSync: exists } = await import('node:fs');
      if (exists(flag)) throw new Error('the model file is broken');
      return undefined;
    };
    await createEndpoint(clipper, { name: 'm', inputType: 'doubles', setup, predict: version('one'), ...quiet });
    mkdirSync(flag);
    const [line = ''] = await clipper.getLogs();
    expect(line).toContain('m-1-0');
    for (const pid of await pidsOf(clipper)) process.kill(pid, 'SIGKILL');
    await eventually(async () => (await clipper.getEvents()).some(({ kind }) => kind === 'gave_up'));
    const [status] = await clipper.getModelStatus();
    expect(status?.versions[0]?.replicas).toMatchObject({
      wanted: 1,
      live: [],
      crashLoop: {
        deaths: 6,
        how: 'exit code 1',
        log: expect.arrayContaining([expect.stringContaining('model file is broken')]),
      },
    });
    const { defaultReason, defaultExplanation } = await clipper.predict('m', [1]);
    expect([defaultReason, defaultExplanation]).toEqual([
      'no_live_replica',
      expect.stringMatching(/died 6 times .* exit code 1.*the model file is broken/s),
    ]);
  });
});

/** The processes of a cluster's replicas. */
async function pidsOf(clipper: ClipperConnection): Promise<readonly number[]> {
  const { execFile } = await import('node:child_process');
  const child = execFile('pgrep', ['-P', String(clipper.cluster?.pid)]);
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  await once(child, 'close');
  return text.trim().split('\n').filter(Boolean).map(Number);
}
