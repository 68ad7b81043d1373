import type { ClipperConnection } from '../../src/client/connection.ts';
import { createEndpoint } from '../../src/client/deploy.ts';
import { labels } from '../../src/docker/labels.ts';
import { useDockerHost } from '../helpers/docker-host.ts';
import { describeWithOwnEngine, OwnEngine } from '../helpers/own-engine.ts';
import { type Answered, queryLoad } from '../helpers/query-load.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';
import { until } from '../helpers/until.ts';

const sloMs = 500;

/** Two replicas that double a number, under a name of their own. */
async function doubling(): Promise<ClipperConnection> {
  const clipper = await startedCluster({ backend: 'docker', name: 'restarted' });
  const predictOne = ([x = 0]: Float64Array) => x * 2;
  const settings = {
    name: 'double',
    inputType: 'doubles',
    replicas: 2,
    sloMicros: sloMs * 1_000,
    defaultOutput: 'none',
  } as const;
  await createEndpoint(clipper, { ...settings, predictOne, ...quiet }).catch(async (error: unknown) => {
    await clipper.close();
    throw error;
  });
  return clipper;
}

/** Every query was answered, rightly or with the reason why not, and in time. */
function expectAnswered(answers: readonly Answered[]): void {
  for (const { input, ms, output, default: isDefault, defaultReason } of answers) {
    expect(ms).toBeLessThan(sloMs + 300);
    if (isDefault) expect([output, defaultReason]).toEqual(['none', expect.stringMatching(/./)]);
    else expect(output).toBe(input * 2);
  }
}

const served = async (clipper: ClipperConnection, replicas: number, timeoutMs = 10_000): Promise<void> => {
  const hasAll = async (): Promise<boolean> => (await clipper.getNumReplicas('double')) === replicas;
  await until(hasAll, `${replicas} replicas`, timeoutMs);
};

/** The states and ids of replicas, without what holds their network. */
async function replicasOn(engine: OwnEngine): Promise<readonly string[]> {
  const filters = { label: [labels.instance] };
  return (await engine.api.listContainers({ all: true, filters })).map(({ Id, State }) => `${State} ${Id}`).sort();
}

describeWithOwnEngine('an engine', () => {
  let engine: OwnEngine;
  let host: Disposable;

  const containers = (): Promise<readonly string[]> => replicasOn(engine);

  const gone = async (): Promise<void> => {
    expect(await engine.api.listContainers({ all: true })).toEqual([]);
    expect((await engine.api.listNetworks()).map(({ Name }) => Name).sort()).toEqual(['bridge', 'host', 'none']);
  };

  beforeAll(async () => {
    engine = await OwnEngine.start();
    host = useDockerHost(engine.address);
  });

  afterAll(async () => {
    host[Symbol.dispose]();
    await engine[Symbol.asyncDispose]();
  });

  test.each(['stop', 'kill'] as const)('that is lost by %s and comes back has its replicas again', async (how) => {
    await using clipper = await doubling();
    const before = await containers();
    const load = queryLoad(clipper, 'double');
    await engine[how]();
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    await engine.start();
    const start = performance.now();
    const isReplaced = async (): Promise<boolean> => {
      const now = await containers();
      return now.length === 2 && now.every((each) => each.startsWith('running') && !before.includes(each));
    };
    await until(isReplaced, 'new containers in place of the old ones', 15_000);
    await served(clipper, 2);
    expect(performance.now() - start).toBeLessThan(10_000);
    const answers = await load.stop();
    expectAnswered(answers);
    const after = await clipper.predict('double', [-1]);
    expect(after.output).toBe(-2);
    expect((await containers()).length).toBe(2);
    await clipper.close();
    await gone();
  });

  test('that is away takes no deploys, and says so', async () => {
    await using clipper = await doubling();
    await engine.stop();
    const predictOne = ([x = 0]: Float64Array) => x * 3;
    const deployed = createEndpoint(clipper, { name: 'triple', inputType: 'doubles', predictOne, ...quiet });
    await expect(deployed).rejects.toMatchObject({
      code: 'E_DOCKER_UNAVAILABLE',
      message: expect.stringContaining(engine.address),
    });
    const scaled = clipper.setNumReplicas('double', 3);
    await expect(scaled).rejects.toMatchObject({ code: 'E_DOCKER_UNAVAILABLE', message: expect.stringContaining('Fix: ') });
    await engine.start();
    await createEndpoint(clipper, { name: 'triple', inputType: 'doubles', predictOne, ...quiet });
    expect((await clipper.predict('triple', [2])).output).toBe(6);
    await served(clipper, 2);
  });

  test('that is away when a cluster ends leaves what the next cluster takes away', async () => {
    const clipper = await doubling();
    await engine.kill();
    const start = performance.now();
    await clipper.close();
    expect(performance.now() - start).toBeLessThan(10_000);
    await engine.start();
    expect((await containers()).length).toBe(2);
    await (await startedCluster({ backend: 'docker', name: 'another' })).close();
    await gone();
  });
});

describeWithOwnEngine('an engine with --live-restore', () => {
  test('may be restarted while its replicas go on', async () => {
    await using engine = await OwnEngine.start({ flags: ['--live-restore'] });
    using _ = useDockerHost(engine.address);
    await using clipper = await doubling();
    const ids = () => replicasOn(engine);
    const before = await ids();
    const seen: string[] = [];
    const left = new AbortController();
    const following = (async () => {
      for await (const line of clipper.followLogs({ signal: left.signal })) seen.push(line.replace(/^\S+ \| /, ''));
    })();
    const serving = 'Serving predictions for doubles input type.';
    await until(() => seen.length === 2, 'the lines of both');
    const load = queryLoad(clipper, 'double');
    await engine.stop();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect((await clipper.predict('double', [-1])).output).toBe(-2);
    await engine.start();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const answers = await load.stop();
    expectAnswered(answers);
    expect(answers.filter(({ default: isDefault }) => isDefault)).toEqual([]);
    expect([await ids(), await clipper.getNumReplicas('double')]).toEqual([before, 2]);
    // What dies after is noticed.
    const [first = ''] = before;
    await engine.api.getContainer(first.split(' ')[1] ?? '').kill();
    await until(async () => !(await ids()).includes(first) && (await ids()).length === 2, 'another in its place');
    await served(clipper, 2);
    // Logs are followed on where they were left.
    await until(() => seen.length === 4, 'the end of the one, and the line of the other');
    expect(seen).toEqual([serving, serving, '(ended with signal SIGKILL)', serving]);
    left.abort();
    await following;
  });
});
