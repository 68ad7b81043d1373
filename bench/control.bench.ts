// The control plane: switches under load, a server's restart with many applications and models, scaling, and what an idle replica takes.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClipperConnection, createEndpoint, deployPredictFunction, startClipper } from 'clipper-ts';
import { type LoadResult, load } from './http-load.ts';
import { durations, fixed, median, printTable, quantile } from './statistics.ts';

const only = process.env.ONLY ?? '';
const quiet = { inputType: 'doubles', onProgress: () => {} } as const;
const start = (stateDir?: string): Promise<ClipperConnection> =>
  startClipper({ queryPort: 0, managementPort: 0, rpcPort: 0, ...(stateDir === undefined ? {} : { stateDir }) });

const rate = 1_000;
let input = 0;
const underLoad = (clipper: ClipperConnection, seconds: number): Promise<LoadResult> =>
  load({ url: `${clipper.queryUrl}/m/predict`, connections: 32, seconds, rate, body: () => `{"input":[${input++}]}` });

/** Switches while queries come at a rate; the load's own share of the two processors is part of every figure. */
async function benchSwitches(): Promise<void> {
  await using clipper = await start();
  const one = (inputs: readonly Float64Array[]) => inputs.map(([x = 0]) => x);
  const two = (inputs: readonly Float64Array[]) => inputs.map(([x = 0]) => -x);
  await createEndpoint(clipper, { name: 'm', predict: one, ...quiet });
  await deployPredictFunction(clipper, { name: 'm', predict: two, current: false, ...quiet });
  await underLoad(clipper, 2);
  const before = await underLoad(clipper, 4);
  const switching = underLoad(clipper, 4);
  let switches = 0;
  for (const end = performance.now() + 3_500; performance.now() < end; await new Promise((resolve) => setTimeout(resolve, 100))) {
    await clipper.setModelVersion('m', (switches++ % 2) + 1);
  }
  const during = await switching;
  const rolling = underLoad(clipper, 4);
  let rolls = 0;
  for (const end = performance.now() + 3_500; performance.now() < end; ) {
    await clipper.stopInactiveModelVersions('m');
    await clipper.setModelVersion('m', (rolls++ % 2) + 1);
  }
  const rolled = await rolling;
  const row = (name: string, result: LoadResult, count: number) => [
    name,
    String(count),
    String(result.requests),
    String(result.defaults),
    fixed(result.p50),
    fixed(result.p99),
    fixed(result.p99 / before.p99),
  ];
  console.log(`\n${rate} queries a second`);
  printTable([
    ['', 'switches', 'queries', 'defaults', 'p50 ms', 'p99 ms', 'of before'],
    row('before', before, 0),
    row('between running versions', during, switches),
    row('to stopped ones, started for it', rolled, rolls),
  ]);
}

async function inParallel(count: number, work: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let n = next++; n < count; n = next++) await work(n);
    }),
  );
}

/** A server with 500 applications and 50 models is ended and started again on its folder. */
async function benchRestart(): Promise<void> {
  const stateDir = await mkdtemp(join(tmpdir(), 'clipper-bench-'));
  const first = await start(stateDir);
  await inParallel(50, (n) => first.registerModel({ name: `m${n}`, version: 1, inputType: 'doubles' }));
  await inParallel(500, (n) => first.registerApplication({ name: `a${n}`, inputType: 'doubles', model: `m${n % 50}` }));
  const writes = await durations(200, async (n) => first.registerModel({ name: 'w', version: n, inputType: 'doubles' }));
  await first.close();
  const empty = await durations(5, async () => (await start()).close());
  const ready: number[] = [];
  for (let round = 0; round < 5; round++) {
    const began = performance.now();
    const again = await start(stateDir);
    ready.push(performance.now() - began);
    if ((await again.getAllApps()).length !== 500) throw new Error('applications are missing');
    await again.close();
  }
  await rm(stateDir, { recursive: true });
  console.log('\n500 applications, 250 versions of 51 models');
  printTable([
    ['', 'median ms', 'p99 ms'],
    ['a management write, acknowledged', fixed(median(writes)), fixed(quantile(writes, 0.99))],
    ['start and end of an empty server', fixed(median(empty), 0), ''],
    ['start of the full one until it answers', fixed(median(ready), 0), ''],
  ]);
}

/** Proportional set size in MiB: what is shared with other processes is divided between them. */
function memoryOf(pid: number): { readonly rss: number; readonly pss: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1_024;
  return { rss: of('Rss'), pss: of('Pss') };
}

async function benchScale(): Promise<void> {
  await using clipper = await start();
  await createEndpoint(clipper, { name: 'm', predict: (inputs) => inputs.map(() => process.pid), ...quiet });
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const began = performance.now();
    await clipper.setNumReplicas('m', 16);
    times.push(performance.now() - began);
    if ((await clipper.getNumReplicas('m')) !== 16) throw new Error('not 16 replicas');
    if (round < 4) await clipper.setNumReplicas('m', 1);
  }
  const bare = Array.from({ length: 16 }, () => spawn(process.execPath, ['-e', 'setInterval(() => {}, 2 ** 30)']));
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const status = await clipper.getModelStatus();
  const pids = status[0]?.versions[0]?.replicas.live.map(({ pid = 0 }) => pid) ?? [];
  const [replicas, nodes] = [pids.map(memoryOf), bare.map(({ pid = 0 }) => memoryOf(pid))];
  for (const child of bare) child.kill();
  console.log(
    `\nfrom 1 to 16 process replicas that serve: median ${fixed(median(times) / 1_000)} s of ${times.map((ms) => fixed(ms / 1_000)).join(', ')}`,
  );
  const row = (name: string, all: readonly { rss: number; pss: number }[]) => [
    name,
    fixed(median(all.map(({ rss }) => rss)), 1),
    fixed(median(all.map(({ pss }) => pss)), 1),
  ];
  printTable([
    ['of 16, idle for 3 s', 'resident MiB', 'proportional MiB'],
    row('a replica', replicas),
    row('a bare node', nodes),
  ]);
}

for (const [name, bench] of Object.entries({ switches: benchSwitches, restart: benchRestart, scale: benchScale })) {
  if (name.includes(only)) await bench();
}
