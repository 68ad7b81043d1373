// From the call to the first answer over HTTP, on the process backend; and on Docker where it is there.
import { spawnSync } from 'node:child_process';
import { createEndpoint, deployPredictFunction, startClipper } from 'clipper-ts';
import { Matrix } from 'ml-matrix';
import { benchDocker } from './deploy-docker.ts';
import { durations, fixed, median, printTable } from './statistics.ts';

const rounds = 15;
const weights = [1, 2, 3];
const quiet = { inputType: 'doubles', onProgress: () => {} } as const;

const started = performance.now();
const bare = await durations(rounds, async () => {
  spawnSync(process.execPath, ['-e', '0']);
});
await using clipper = await startClipper({ queryPort: 0, managementPort: 0, rpcPort: 0, cacheBytes: 0 });

async function firstAnswer(name: string, expected: number): Promise<void> {
  const { output } = await clipper.predict(name, [1, 1, 1]);
  if (output !== expected) throw new Error(`${name} answered ${String(output)} instead of ${expected}`);
}

const small = await durations(rounds, async (round) => {
  const name = `small-${round}`;
  const predictOne = (row: Float64Array) => row.reduce((sum, x, index) => sum + x * (weights[index] ?? 0), round);
  await createEndpoint(clipper, { ...quiet, name, predictOne });
  await firstAnswer(name, 6 + round);
});
const next = await durations(rounds, async (round) => {
  await deployPredictFunction(clipper, { ...quiet, name: 'small-0', predictOne: () => round });
  await firstAnswer('small-0', round);
});
const packaged = await durations(rounds, async (round) => {
  const name = `packaged-${round}`;
  const factor = new Matrix([[round, 1, 1]]);
  await createEndpoint(clipper, { ...quiet, name, predictOne: (row) => new Matrix([[...row]]).mul(factor).sum() });
  await firstAnswer(name, round + 2);
});

printTable([
  ['', 'first ms', 'median ms', 'of a bare node'],
  ...(
    [
      ['node -e 0', bare],
      ['a small closure', small],
      ['another version of it', next],
      ['a closure that uses a package', packaged],
    ] as const
  ).map(([name, all]) => [name, fixed(all[0] ?? 0, 0), fixed(median(all), 0), fixed(median(all) / median(bare))]),
]);
if (spawnSync('docker', ['version']).status === 0) await benchDocker();
else console.log('no Docker engine answers: its part is left out');
console.log(`the whole took ${fixed((performance.now() - started) / 1_000, 1)} s`);
