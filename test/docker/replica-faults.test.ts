import { randomUUID } from 'node:crypto';
import Dockerode from 'dockerode';
import type { ClipperConnection } from '../../src/client/connection.ts';
import { createEndpoint, deployPredictFunction } from '../../src/client/deploy.ts';
import { describeWithDocker } from '../helpers/docker.ts';
import { thingsOf } from '../helpers/main-engine.ts';
import { queryLoad } from '../helpers/query-load.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';
import { until } from '../helpers/until.ts';

describeWithDocker('a replica', () => {
  const api = new Dockerode();
  const name = `faults-${randomUUID().slice(0, 8)}`;
  let clipper: ClipperConnection;

  const endpoint = (model: string, settings: object = {}) => {
    const predictOne = ([x = 0]: Float64Array) => x * 2;
    const rest = { inputType: 'doubles', sloMicros: 500_000, predictOne, ...quiet, ...settings } as const;
    return createEndpoint(clipper, { name: model, ...rest });
  };

  const containersOf = async (model: string): Promise<readonly Dockerode.ContainerInfo[]> =>
    (await thingsOf(name)).containers.filter(({ Labels }) => Labels['clipper-ts.model'] === model);

  /** Waits until others run in place of what a model had. */
  const replaced = async (model: string, before: readonly Dockerode.ContainerInfo[], timeoutMs = 10_000): Promise<void> => {
    const old = new Set(before.map(({ Id }) => Id));
    const isReplaced = async (): Promise<boolean> => {
      const now = await containersOf(model);
      return now.length === before.length && now.every(({ Id, State }) => !old.has(Id) && State === 'running');
    };
    await until(isReplaced, 'other containers', timeoutMs);
    await until(async () => (await clipper.getNumReplicas(model)) === before.length, 'as many replicas', timeoutMs);
  };

  beforeAll(async () => {
    clipper = await startedCluster({ backend: 'docker', name });
  });

  afterAll(() => clipper.close());

  test.each([
    ['killed', (id: string) => api.getContainer(id).kill()],
    ['removed', (id: string) => api.getContainer(id).remove({ force: true })],
    ['stopped', (id: string) => api.getContainer(id).stop()],
  ])('that is %s by someone else is replaced, and its fellow answers', async (how, end) => {
    await endpoint(how, { replicas: 2 });
    const before = await containersOf(how);
    const load = queryLoad(clipper, how);
    const [first, second] = before;
    await end(first?.Id ?? '');
    await until(async () => {
      const now = (await containersOf(how)).filter(({ State }) => State === 'running').map(({ Id }) => Id);
      return now.length === 2 && !now.includes(first?.Id ?? '') && now.includes(second?.Id ?? '');
    }, 'another in its place');
    await until(async () => (await clipper.getNumReplicas(how)) === 2, 'two replicas');
    const answers = await load.stop();
    expect(answers.filter(({ ms }) => ms > 800)).toEqual([]);
    expect(answers.filter(({ output, input, default: isDefault }) => !isDefault && output !== input * 2)).toEqual([]);
    expect(answers.filter(({ default: isDefault }) => isDefault).length).toBeLessThan(10);
  });

  test('that loses its network comes back with another, however many there are', async () => {
    await endpoint('networked', { replicas: 2 });
    const before = await containersOf('networked');
    const [sandbox = ''] = (await thingsOf(name)).sandboxes;
    await api.getContainer(sandbox).kill();
    await replaced('networked', before);
    expect((await clipper.predict('networked', [4])).output).toBe(8);
    const { sandboxes } = await thingsOf(name);
    expect(sandboxes).toHaveLength(1);
    expect(sandboxes).not.toContain(sandbox);
  });

  test('that is paused gives default outputs in time, and is replaced', async () => {
    await endpoint('paused');
    const before = await containersOf('paused');
    const container = api.getContainer(before[0]?.Id ?? '');
    await container.pause();
    const start = performance.now();
    const answer = await clipper.predict('paused', [1]);
    expect([answer.default, answer.defaultReason]).toEqual([true, expect.stringMatching(/./)]);
    expect(performance.now() - start).toBeLessThan(800);
    await replaced('paused', before, 45_000);
    await expect(container.unpause()).rejects.toMatchObject({ statusCode: 404 });
    expect((await clipper.predict('paused', [3])).output).toBe(6);
  });

  test('that was paused for a moment goes on', async () => {
    await endpoint('rested');
    const before = await containersOf('rested');
    const container = api.getContainer(before[0]?.Id ?? '');
    await container.pause();
    expect((await clipper.predict('rested', [1])).default).toBe(true);
    await container.unpause();
    await until(async () => (await clipper.predict('rested', [3])).output === 6, 'an answer');
    expect((await containersOf('rested')).map(({ Id }) => Id)).toEqual(before.map(({ Id }) => Id));
  });

  test('that takes more memory than it may is told of, with the option that says so', async () => {
    const setup = () => {
      console.log('allocating');
      const kept: Buffer[] = [];
      for (let count = 0; count < 64; count++) kept.push(Buffer.alloc(16 * 2 ** 20, 1));
      return kept;
    };
    const predictOne = (_input: Float64Array, kept: Buffer[]) => kept.length;
    const deployed = endpoint('greedy', { setup, predictOne, resources: { memoryMiB: 96 } });
    await expect(deployed).rejects.toMatchObject({
      code: 'E_REPLICA_EXITED',
      message: expect.stringMatching(/out of memory.*96 MiB of resources\.memoryMiB.*allocating/s),
    });
    expect(await containersOf('greedy')).toEqual([]);
  });

  test('that ends in its setup is told of, with its code and what it wrote', async () => {
    const setup = () => {
      console.error('no licence');
      process.exit(7);
    };
    await expect(endpoint('leaving', { setup })).rejects.toMatchObject({
      code: 'E_REPLICA_EXITED',
      message: expect.stringMatching(/exit code 7.*no licence/s),
    });
    expect(await containersOf('leaving')).toEqual([]);
  });

  test('whose image was removed behind our back is told of, with what to do', async () => {
    const predictOne = ([x = 0]: Float64Array) => x * 5;
    const deployed = await deployPredictFunction(clipper, { name: 'gone', inputType: 'doubles', predictOne, ...quiet });
    await clipper.setNumReplicas('gone', 0);
    await api.getImage(deployed.image ?? '').remove({ force: true });
    await expect(clipper.setNumReplicas('gone', 1)).rejects.toMatchObject({
      code: 'E_IMAGE_NOT_FOUND',
      message: expect.stringMatching(/has no image .*Fix: deploy it again/s),
    });
    expect([await containersOf('gone'), await clipper.getNumReplicas('gone')]).toEqual([[], 0]);
    await deployPredictFunction(clipper, { name: 'gone', inputType: 'doubles', predictOne, ...quiet });
    expect(await clipper.getNumReplicas('gone')).toBe(1);
  });
});
