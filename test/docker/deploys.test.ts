import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { ClipperConnection } from '../../src/client/connection.ts';
import { deployPredictFunction } from '../../src/client/deploy.ts';
import { describeWithDocker } from '../helpers/docker.ts';
import { nothing, thingsOf } from '../helpers/main-engine.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';
import { until } from '../helpers/until.ts';

const buildFolders = (): readonly string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('clipper-ts-build-'));

describeWithDocker('deploys', () => {
  const name = `deploys-${randomUUID().slice(0, 8)}`;
  let clipper: ClipperConnection;

  /** Deploys a function that multiplies. */
  const times = (model: string, factor: number, settings: object = {}) =>
    deployPredictFunction(clipper, {
      name: model,
      inputType: 'doubles',
      predictOne: ([x = 0]: Float64Array) => x * factor,
      ...quiet,
      ...settings,
    });

  const ask = async (model: string, version: string, input: number): Promise<unknown> =>
    (await clipper.predict(model, [input], { version })).output;

  beforeAll(async () => {
    clipper = await startedCluster({ backend: 'docker', name });
  });

  afterAll(() => clipper.close());

  test('of different functions at once get a version each', async () => {
    await clipper.registerApplication({ name: 'different', inputType: 'doubles' });
    const factors = [2, 3, 5];
    const made = await Promise.all(factors.map((factor) => times('different', factor)));
    await clipper.linkModelToApp('different', 'different');
    expect(made.map(({ version }) => version).sort()).toEqual(['1', '2', '3']);
    const answers = await Promise.all(made.map(({ version }) => ask('different', version, 10)));
    expect(answers).toEqual([20, 30, 50]);
  });

  test('of the same function at once get a version each', async () => {
    await clipper.registerApplication({ name: 'same', inputType: 'doubles' });
    const made = await Promise.all([times('same', 7), times('same', 7), times('same', 7)]);
    await clipper.linkModelToApp('same', 'same');
    expect(made.map(({ version }) => version).sort()).toEqual(['1', '2', '3']);
    expect(new Set(made.map(({ digest }) => digest)).size).toBe(1);
    expect(await Promise.all(made.map(({ version }) => ask('same', version, 10)))).toEqual([70, 70, 70]);
  });

  test.each(['capture', 'image', 'start'])('that are cancelled at "%s" end soon and leave nothing', async (stage) => {
    const before = buildFolders();
    const abort = new AbortController();
    const onProgress = (event: { stage: string }): void => {
      if (event.stage === stage) abort.abort();
    };
    const model = `cancelled-${stage}`;
    const setup = () => new Promise((resolve) => setTimeout(resolve, 20_000));
    const start = performance.now();
    await expect(times(model, 2, { setup, onProgress, signal: abort.signal })).rejects.toMatchObject({ code: 'E_CANCELLED' });
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(buildFolders()).toEqual(before);
    const isLeft = (text: string): boolean => text.includes(`/${model}`);
    await until(async () => {
      const { containers, images } = await thingsOf(name);
      return !containers.some(({ Names }) => Names.some(isLeft)) && !images.some(isLeft);
    }, 'the end of what it made');
    expect(await clipper.getModelInfo(model, 1)).toBeUndefined();
  });

  test('that are cancelled while their replica sets up end soon and leave nothing', async () => {
    const model = 'cancelled-setup';
    const abort = new AbortController();
    const setup = () => new Promise((resolve) => setTimeout(resolve, 20_000));
    const deployed = times(model, 2, { setup, signal: abort.signal });
    const ofModel = async () => {
      const { containers, images } = await thingsOf(name);
      return [...containers.flatMap(({ Names, State }) => (State === 'running' ? Names : [])), ...images].filter((each) =>
        each.includes(model),
      );
    };
    await until(async () => (await ofModel()).length === 2, 'its container');
    const start = performance.now();
    abort.abort();
    await expect(deployed).rejects.toMatchObject({ code: 'E_CANCELLED' });
    expect(performance.now() - start).toBeLessThan(2_000);
    await until(async () => (await ofModel()).length === 0, 'the end of what it made');
  });

  test('that fail leave no image', async () => {
    const setup = () => {
      throw new Error('broken');
    };
    await expect(times('broken', 2, { setup })).rejects.toMatchObject({ code: 'E_REPLICA_EXITED' });
    const isLeft = (text: string): boolean => text.includes('/broken');
    await until(async () => !(await thingsOf(name)).images.some(isLeft), 'the end of its image', 3_000);
  });

  test('are all taken away with their cluster', async () => {
    expect((await thingsOf(name)).containers.length).toBeGreaterThan(0);
    await clipper.close();
    expect(await thingsOf(name)).toEqual(nothing);
  });
});
