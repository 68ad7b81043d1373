import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { ClipperConnection } from '../../src/client/connection.ts';
import { createEndpoint, deployPredictFunction } from '../../src/client/deploy.ts';
import type { Prediction } from '../../src/client/wire.ts';
import { mountMemory, testWithMounts } from '../helpers/mounts.ts';
import { eventually, isAlive, quiet, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

const sloMs = 2_000;
const echo = (inputs: readonly Float64Array[]) => inputs.map(([x]) => x);
const options = { name: 'm', inputType: 'doubles', predict: echo, sloMicros: 1_000 * sloMs, cache: false, ...quiet } as const;

interface Asked {
  readonly input: number;
  readonly ms: number;
  readonly answer: Prediction;
}

/** Asks until it is told to stop, several queries at a time. */
function askOn(clipper: ClipperConnection, workers = 4): { stop(): Promise<readonly Asked[]> } {
  const asked: Asked[] = [];
  let [isOver, next] = [false, 0];
  const all = Array.from({ length: workers }, async () => {
    while (!isOver) {
      const input = next++;
      const began = performance.now();
      const answer = await clipper.predict('m', [input]);
      asked.push({ input, ms: performance.now() - began, answer });
    }
  });
  return {
    stop: async () => {
      isOver = true;
      await Promise.all(all);
      return asked;
    },
  };
}

/** Each was answered with its own output or the default, within its objective. */
function expectAnswered(asked: readonly Asked[]): void {
  const isRight = ({ input, ms, answer }: Asked): boolean =>
    answer.output === (answer.default ? 'None' : input) && ms < sloMs + 1_000;
  expect(asked.filter((each) => !isRight(each))).toEqual([]);
}

const livePids = async (clipper: ClipperConnection): Promise<readonly number[]> =>
  (await clipper.getModelStatus()).flatMap(({ versions }) =>
    versions.flatMap(({ replicas }) => replicas.live.map(({ pid = 0 }) => pid)),
  );

test('replicas that are killed at random are replaced, and hardly a query gets the default output', async () => {
  const seconds = Number(process.env.CLIPPER_TEST_FAULT_SECONDS ?? 8);
  await using clipper = await startedCluster();
  await createEndpoint(clipper, { ...options, replicas: 3 });
  const asking = askOn(clipper);
  let kills = 0;
  for (const end = performance.now() + 1_000 * seconds; performance.now() < end; await setTimeout(300 * Math.random())) {
    const pids = await livePids(clipper);
    const pid = pids[Math.floor(Math.random() * pids.length)];
    if (pids.length < 2 || pid === undefined) continue;
    // It may have ended since it was listed.
    if (!isAlive(pid)) continue;
    process.kill(pid, 'SIGKILL');
    kills++;
  }
  const asked = await asking.stop();
  expectAnswered(asked);
  expect(kills).toBeGreaterThan(seconds);
  expect(asked.filter(({ answer }) => answer.default).length / asked.length).toBeLessThan(0.02);
  await eventually(async () => (await clipper.getNumReplicas('m')) === 3);
}, 120_000);

test('a replica that hangs keeps no query from its answer', async () => {
  await using clipper = await startedCluster();
  await createEndpoint(clipper, { ...options, replicas: 2 });
  const [hung = 0] = await livePids(clipper);
  const asking = askOn(clipper);
  await setTimeout(200);
  process.kill(hung, 'SIGSTOP');
  await setTimeout(3_000);
  process.kill(hung, 'SIGCONT');
  await setTimeout(300);
  const asked = await asking.stop();
  expectAnswered(asked);
  // What it had in flight is late; nothing more is sent to it.
  expect(asked.filter(({ answer }) => answer.default).length).toBeLessThanOrEqual(8);
  expect(asked.length).toBeGreaterThan(500);
});

test('of a thousand management calls at once, all that were acknowledged survive kill -9', async () => {
  await using dir = await temporaryDir();
  const first = await startedCluster({ stateDir: dir.path });
  await createEndpoint(first, options);
  const acknowledged = new Set<string>();
  const calls = Array.from({ length: 1_000 }, async (_, n) => {
    const name = `a${n}`;
    await first.registerApplication({ name, inputType: 'doubles', model: 'm' });
    acknowledged.add(name);
    if (acknowledged.size === 400) process.kill(first.cluster?.pid ?? 0, 'SIGKILL');
  });
  const failed = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected').length;
  expect(failed).toBeGreaterThan(0);
  await first.close();
  await using second = await startedCluster({ stateDir: dir.path });
  const apps = new Map((await second.getAllApps()).map((app) => [app.name, app.linkedModels]));
  for (const name of acknowledged) expect(apps.get(name)).toEqual(['m']);
  // Each was added with its link or not at all.
  expect([...apps.values()].every((linked) => linked.length === 1)).toBe(true);
  await eventually(async () => (await second.predict('m', [7])).output === 7);
});

test('a thousand changes and reads at once are all answered, and agree', async () => {
  await using clipper = await startedCluster();
  const asking = (async () => {
    await createEndpoint(clipper, options);
    return askOn(clipper, 2);
  })();
  const work = async (n: number): Promise<void> => {
    const name = `x${n % 50}`;
    if (n % 4 === 0) await clipper.registerModel({ name, version: n, inputType: 'doubles' });
    else if (n % 4 === 1) await clipper.registerApplication({ name: `y${n}`, inputType: 'floats' });
    else if (n % 4 === 2) await clipper.getAllApps();
    else await clipper.registerApplication({ name: 'same', inputType: 'floats' }).catch(() => {});
  };
  await Promise.all(Array.from({ length: 1_000 }, (_, n) => work(n)));
  const [apps, models] = await Promise.all([clipper.getAllApps(), clipper.getAllModels()]);
  expect([apps.filter(({ name }) => name !== 'm').length, models.filter(({ name }) => name !== 'm').length]).toEqual([251, 250]);
  expectAnswered(await (await asking).stop());
});

test('clocks that jump change nothing', async () => {
  await using dir = await temporaryDir();
  const jumps = join(dir.path, 'jumps.cjs');
  writeFileSync(jumps, `const now = Date.now; Date.now = () => now() + (Math.floor(now() / 50) % 3 - 1) * 86_400_000;`);
  const before = process.env.NODE_OPTIONS;
  process.env.NODE_OPTIONS = `--require ${jumps}`;
  try {
    await using clipper = await startedCluster();
    await createEndpoint(clipper, { ...options, replicas: 2, cache: { ttlMicros: 100_000 } });
    const asking = askOn(clipper);
    await setTimeout(500);
    for (const pid of (await livePids(clipper)).slice(0, 1)) process.kill(pid, 'SIGKILL');
    await setTimeout(1_500);
    const asked = await asking.stop();
    expectAnswered(asked);
    expect(asked.filter(({ answer }) => answer.default)).toEqual([]);
    await eventually(async () => (await clipper.getNumReplicas('m')) === 2);
  } finally {
    if (before === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = before;
  }
});

testWithMounts('a full disk refuses changes and keeps serving; with room again changes are made', async () => {
  await using dir = await temporaryDir();
  const path = join(dir.path, 'disk');
  using _disk = mountMemory(path, 4_096);
  const clipper = await startedCluster({ stateDir: path });
  try {
    await createEndpoint(clipper, options);
    const asking = askOn(clipper, 2);
    const { bavail, bsize } = statfsSync(path);
    writeFileSync(join(path, 'ballast'), Buffer.alloc(bavail * bsize));
    const names: string[] = [];
    const fill = async (): Promise<void> => {
      for (let n = 0; n < 3_000; n++) {
        const name = `a${n}`;
        await clipper.registerApplication({ name, inputType: 'doubles', defaultOutput: 'x'.repeat(500) });
        names.push(name);
      }
    };
    await expect(fill()).rejects.toMatchObject({
      message: expect.stringMatching(/state in .* could not be written.*disk full/s),
    });
    rmSync(join(path, 'ballast'));
    await eventually(async () => {
      await clipper.registerApplication({ name: 'after', inputType: 'doubles' });
      return true;
    });
    expectAnswered(await asking.stop());
    const pid = clipper.cluster?.pid ?? 0;
    process.kill(pid, 'SIGKILL');
    await eventually(() => !isAlive(pid));
    await using again = await startedCluster({ stateDir: path });
    expect((await again.getAllApps()).map(({ name }) => name).sort()).toEqual(['after', 'm', ...names].sort());
  } finally {
    await clipper.close();
  }
});

test('a deploy that is cancelled at any moment leaves nothing, and the version before keeps serving', async () => {
  await using clipper = await startedCluster();
  await createEndpoint(clipper, options);
  const asking = askOn(clipper, 1);
  const outcomes = new Set<string>();
  for (let ms = 0; ms < 450; ms += 15) {
    const deploy = { name: 'm', inputType: 'doubles', predict: () => [ms], ...quiet } as const;
    const outcome = await deployPredictFunction(clipper, { ...deploy, signal: AbortSignal.timeout(ms) }).catch(
      (error: { code: string }) => error.code,
    );
    // The answer may be on its way when the signal comes; a half of a deploy is never there.
    // So may that of a deploy before it, which then adds a version too.
    const findAdded = async () => (await clipper.getAllModels()).filter(({ version }) => version !== '1');
    let added = await findAdded();
    await eventually(async () => {
      added = await findAdded();
      return added.length === 0 || added.some(({ isCurrent }) => isCurrent);
    });
    outcomes.add(typeof outcome === 'string' ? outcome : 'deployed');
    if (added.length === 0) continue;
    await clipper.setModelVersion('m', '1');
    await clipper.unregisterVersionedModels({ m: added.map(({ version }) => version) });
  }
  expect(outcomes).toEqual(new Set(['E_CANCELLED', 'deployed']));
  await eventually(async () => (await livePids(clipper)).length === 1);
  expect((await clipper.getAllModels()).map(({ version }) => version)).toEqual(['1']);
  expect((await asking.stop()).filter(({ answer }) => answer.default)).toEqual([]);
});
