import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { ClipperConnection } from '../../src/client/connection.ts';
import { createEndpoint, deployPredictFunction } from '../../src/client/deploy.ts';
import { eventually, quiet, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

let clipper: ClipperConnection;
beforeAll(async () => {
  clipper = await startedCluster({ cacheBytes: 0 });
});
afterAll(() => clipper.close());

const echo = (inputs: readonly Float64Array[]) => inputs.map(([x]) => x);
const version = (name: string, options: object = {}) =>
  deployPredictFunction(clipper, { name, inputType: 'doubles', predict: echo, current: false, ...quiet, ...options });
const remove = (name: string, of: string) =>
  clipper.management.post('/admin/delete_versioned_model', { model_name: name, model_version: of });

/** The replicas of a model that run, whether anyone knows of them or not. */
function processesOf(model: string): number {
  const pids = execFileSync('pgrep', ['-P', String(clipper.cluster?.pid)])
    .toString()
    .trim()
    .split('\n');
  const environments = pids.map((pid) => execFileSync('cat', [`/proc/${pid}/environ`], { encoding: 'latin1' }));
  return environments.filter((text) => text.includes(`CLIPPER_MODEL_NAME=${model}\0`)).length;
}

test('a version that is scaled while it is deleted leaves no replicas behind', async () => {
  await createEndpoint(clipper, { name: 'other', inputType: 'doubles', predict: echo, ...quiet });
  for (const laterMs of [0, 20, 60]) {
    await version('gone', { version: 1 });
    const scaling = [2, 3, 1].map((replicas) => clipper.setNumReplicas('gone', replicas, 1).catch((error) => error.code));
    await setTimeout(laterMs);
    await Promise.all([remove('gone', '1'), clipper.setNumReplicas('gone', 2, 1).catch(() => {})]);
    const known = [undefined, 'E_CANCELLED', 'E_UNKNOWN_MODEL'];
    for (const outcome of await Promise.all(scaling)) expect(known).toContain(outcome);
    await eventually(() => processesOf('gone') === 0);
  }
});

test('of scaling, switching and stopping at once the stop holds, and what is told is what runs', async () => {
  await createEndpoint(clipper, { name: 'm', inputType: 'doubles', predict: echo, ...quiet });
  for (const laterMs of [10, 40, 80]) {
    await clipper.setNumReplicas('m', 1);
    const calls = [clipper.setNumReplicas('m', 3), clipper.setNumReplicas('m', 2), clipper.setModelVersion('m', 1)];
    await setTimeout(laterMs);
    await clipper.stopModels('m');
    await Promise.allSettled(calls);
    const status = (await clipper.getModelStatus()).find(({ name }) => name === 'm');
    expect(status?.versions[0]?.replicas).toMatchObject({ isStopped: true, live: [] });
    expect(processesOf('m')).toBe(0);
  }
});

test('a second switch to a version that is being started waits for it too', async () => {
  const setup = () => new Promise((resolve) => globalThis.setTimeout(resolve, 500));
  await createEndpoint(clipper, { name: 'slow', inputType: 'doubles', predict: echo, setup, ...quiet });
  await version('slow', { current: true });
  await clipper.stopInactiveModelVersions('slow');
  const first = clipper.setModelVersion('slow', 1);
  await setTimeout(100);
  await clipper.setModelVersion('slow', 1);
  expect(await clipper.predict('slow', [1])).toMatchObject({ output: 1, default: false });
  await first;
});

test('a version whose replicas keep dying does not become the current one', async () => {
  await using dir = await temporaryDir();
  const flag = join(dir.path, 'broken');
  const setup = async () => {
    const { existsSync } = await import('node:fs');
    if (existsSync(flag)) throw new Error('the model file is broken');
  };
  await createEndpoint(clipper, { name: 'dying', inputType: 'doubles', predict: echo, ...quiet });
  await version('dying', { setup });
  mkdirSync(flag);
  const dying = (await clipper.getModelStatus()).find(({ name }) => name === 'dying')?.versions.at(-1);
  for (const { pid = 0 } of dying?.replicas.live ?? []) process.kill(pid, 'SIGKILL');
  await eventually(async () => (await clipper.getNumReplicas('dying', 2)) === 0);
  await expect(clipper.setModelVersion('dying', 2)).rejects.toMatchObject({
    message: expect.stringContaining('the model file is broken'),
  });
  expect(await clipper.predict('dying', [1])).toMatchObject({ output: 1, default: false });
  rmSync(flag, { recursive: true });
  await clipper.setModelVersion('dying', 2);
  expect((await clipper.getModelInfo('dying', 2))?.isCurrent).toBe(true);
});
