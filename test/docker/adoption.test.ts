import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { ClipperConnection } from '../../src/client/connection.ts';
import { createEndpoint, deployPredictFunction } from '../../src/client/deploy.ts';
import { LmdbStore } from '../../src/control/lmdb-store.ts';
import { labels } from '../../src/docker/labels.ts';
import { useDockerHost } from '../helpers/docker-host.ts';
import { nothing, thingsOf } from '../helpers/main-engine.ts';
import { describeWithOwnEngine, OwnEngine } from '../helpers/own-engine.ts';
import { isAlive, quiet, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';
import { until } from '../helpers/until.ts';

let name = '';

const start = (stateDir: string, options: object = {}): Promise<ClipperConnection> =>
  startedCluster({ backend: 'docker', name, stateDir, ...options });

const predictOne = ([x = 0]: Float64Array) => x * 2;
const deploy = (clipper: ClipperConnection, settings: object = {}) =>
  createEndpoint(clipper, { name: 'm', inputType: 'doubles', sloMicros: 500_000, predictOne, ...quiet, ...settings });

async function kill(clipper: ClipperConnection): Promise<void> {
  const pid = clipper.cluster?.pid ?? 0;
  process.kill(pid, 'SIGKILL');
  await until(() => !isAlive(pid), 'the end of the server');
  await clipper.close();
}

/** A number that was not asked before, as answers are kept. */
let asked = 0;
async function ask(clipper: ClipperConnection): Promise<boolean> {
  const input = asked++;
  const { output, default: isDefault } = await clipper.predict('m', [input]);
  if (!isDefault) expect(output).toBe(input * 2);
  return !isDefault;
}

const answered = (clipper: ClipperConnection): Promise<unknown> => until(() => ask(clipper), 'an answer', 5_000);

describeWithOwnEngine('containers of a server that was killed', () => {
  let engine: OwnEngine;
  let host: Disposable;

  /** When each container was started, replicas' and sandboxes', by id. */
  const started = async (cluster = name): Promise<Readonly<Record<string, string>>> => {
    const { containers, sandboxes } = await thingsOf(cluster, engine.api);
    const ids = [...containers.map(({ Id }) => Id), ...sandboxes].sort();
    const found = await Promise.all(ids.map((id) => engine.api.getContainer(id).inspect()));
    return Object.fromEntries(found.map(({ Id, State }) => [Id, State.StartedAt]));
  };

  const replicas = async (): Promise<readonly string[]> =>
    (await thingsOf(name, engine.api)).containers.map(({ Id }) => Id).sort();

  const volumes = async (cluster: string) => {
    const filters = JSON.stringify({ label: [`${labels.cluster}=${cluster}`] });
    return (await engine.api.listVolumes({ filters })).Volumes ?? [];
  };

  /** But for the images, which the next server of the state starts replicas of. */
  const expectNothing = async (cluster = name): Promise<void> => {
    expect({ ...(await thingsOf(cluster, engine.api)), images: [] }).toEqual(nothing);
    expect(await volumes(cluster)).toEqual([]);
  };

  beforeAll(async () => {
    engine = await OwnEngine.start();
    host = useDockerHost(engine.address);
  });

  beforeEach(() => {
    name = `adopting-${randomUUID().slice(0, 8)}`;
  });

  afterAll(async () => {
    host[Symbol.dispose]();
    await engine[Symbol.asyncDispose]();
  });

  test('serve the next one of the same state, and are its own from then on', async () => {
    await using dir = await temporaryDir();
    const first = await start(dir.path);
    await deploy(first, { replicas: 2 });
    await deployPredictFunction(first, { name: 'm', inputType: 'doubles', predictOne, current: false, ...quiet });
    await first.setNumReplicas('m', 1, '2');
    const before = await started();
    expect(Object.keys(before)).toHaveLength(4);
    await kill(first);
    const second = await start(dir.path);
    await answered(second);
    expect(second.cluster?.rpcPort).toBe(first.cluster?.rpcPort);
    await until(async () => (await second.getNumReplicas('m', '1')) === 2, 'both replicas', 3_000);
    expect(await started()).toEqual(before);
    const logs = async (): Promise<string> => (await second.getLogs({ name: 'm', version: '1' })).join('\n');
    await until(async () => /m-1-0-\w+ \| Serving.*m-1-1-\w+ \| Serving/s.test(await logs()), 'their logs');
    // Another cluster takes them for a living server's.
    await (await startedCluster({ backend: 'docker', name: 'other' })).close();
    expect(await started()).toEqual(before);
    expect(await ask(second)).toBe(true);
    // Those of a server that took over are handed on in turn.
    await kill(second);
    await using third = await start(dir.path);
    await answered(third);
    await until(async () => (await third.getNumReplicas('m', '1')) === 2, 'both replicas', 3_000);
    expect(await started()).toEqual(before);
    await (await startedCluster({ backend: 'docker', name: 'other' })).close();
    expect(await started()).toEqual(before);
    const seen: string[] = [];
    const left = new AbortController();
    const following = (async () => {
      for await (const line of third.followLogs({ name: 'm', version: '1', signal: left.signal })) seen.push(line);
    })();
    await until(() => seen.filter((line) => line.includes('Serving')).length === 2, 'the lines of both');
    await third.setNumReplicas('m', 3, '1');
    await until(() => seen.filter((line) => line.includes('Serving')).length === 3, 'the line of the third');
    expect(await replicas()).toHaveLength(4);
    await third.setNumReplicas('m', 1, '1');
    expect(await replicas()).toHaveLength(2);
    expect(await ask(third)).toBe(true);
    await third.stopVersionedModels({ m: ['2'] });
    expect(await replicas()).toHaveLength(1);
    const [id = ''] = await replicas();
    expect(before).toHaveProperty([id]);
    await engine.api.getContainer(id).kill();
    await until(async () => (await replicas()).length === 1 && !(await replicas()).includes(id), 'another in its place');
    await until(() => seen.some((line) => / \(ended with signal SIGKILL\)$/.test(line)), 'the line of its end');
    left.abort();
    await following;
    await answered(third);
    await third.close();
    await expectNothing();
  });

  test('are taken away by one of another state', async () => {
    await using dir = await temporaryDir();
    await using other = await temporaryDir();
    const first = await start(dir.path);
    await deploy(first);
    await kill(first);
    await using second = await start(other.path);
    const { containers } = await thingsOf(name, engine.api);
    expect(containers).toEqual([]);
    await second.close();
    await expectNothing();
  });

  test('are taken away where their version was deleted, or they ended, meanwhile', async () => {
    await using dir = await temporaryDir();
    const first = await start(dir.path);
    await deploy(first, { replicas: 2 });
    await deployPredictFunction(first, { name: 'm', inputType: 'doubles', predictOne, current: false, ...quiet });
    await kill(first);
    {
      await using store = await LmdbStore.open(join(dir.path, 'state'));
      const gone = { key: 'm:2', value: undefined } as const;
      await store.commit([
        { table: 'models', ...gone },
        { table: 'deployments', ...gone },
      ]);
    }
    const { containers } = await thingsOf(name, engine.api);
    const ofVersion = (version: string) => containers.filter(({ Labels }) => Labels['clipper-ts.version'] === version);
    const [deleted] = ofVersion('2');
    const [ended, kept] = ofVersion('1');
    await engine.api.getContainer(ended?.Id ?? '').kill();
    await using second = await start(dir.path);
    await until(async () => (await second.getNumReplicas('m', '1')) === 2, 'two replicas');
    await until(async () => !(await replicas()).includes(deleted?.Id ?? ''), 'the end of the deleted one');
    const now = await replicas();
    expect(now).toHaveLength(2);
    expect(now).toContain(kept?.Id);
    expect(now).not.toContain(ended?.Id);
    await second.close();
    await expectNothing();
  });

  test('are started anew where they would not find the server', async () => {
    await using dir = await temporaryDir();
    const first = await start(dir.path);
    await deploy(first);
    const before = await replicas();
    const { rpcPort = 0 } = first.cluster ?? {};
    await kill(first);
    const taking = createServer().listen(rpcPort, '127.0.0.1');
    await using second = await start(dir.path);
    await until(async () => (await second.getNumReplicas('m')) === 1, 'a replica');
    await answered(second);
    taking.close();
    const after = await replicas();
    expect(after).toHaveLength(1);
    expect(after).not.toEqual(before);
    expect(second.cluster?.rpcPort).not.toBe(rpcPort);
    await second.close();
    await expectNothing();
  });

  test('are left as they are by one that can not start', async () => {
    await using dir = await temporaryDir();
    const first = await start(dir.path);
    await deploy(first);
    const before = await started();
    await kill(first);
    await using taking = await startedCluster();
    const managementPort = Number(new URL(taking.managementUrl).port);
    await expect(start(dir.path, { managementPort })).rejects.toMatchObject({ code: 'E_PORT_IN_USE' });
    expect(await started()).toEqual(before);
    await using second = await start(dir.path);
    await answered(second);
    expect(await started()).toEqual(before);
    await second.close();
    await expectNothing();
  });

  test('of one that ended in peace are started again by the next one of its state, from the images that stayed', async () => {
    await using dir = await temporaryDir();
    const first = await start(dir.path);
    await deploy(first);
    await deployPredictFunction(first, { name: 'm', inputType: 'doubles', predictOne: () => 7, ...quiet });
    await first.close();
    await expectNothing();
    const second = await start(dir.path);
    await until(async () => (await second.predict('m', [asked++])).output === 7, 'an answer', 10_000);
    await second.setModelVersion('m', 1);
    await answered(second);
    // With its version an image goes.
    for (const version of ['2', '1']) {
      await second.management.post('/admin/delete_versioned_model', { model_name: 'm', model_version: version });
    }
    await until(async () => (await thingsOf(name, engine.api)).images.length === 0, 'the end of the images');
    await second.close();
  });
});
