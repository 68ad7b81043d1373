// Deploying to Docker: against `docker run` of the same base, and against a `docker build` of the same bundle.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleClosure, createEndpoint, deployPredictFunction, startClipper } from 'clipper-ts';
import { durations, fixed, median, printTable } from './statistics.ts';

const rounds = 11;
const weights = [1, 2, 3];
const quiet = { inputType: 'doubles', onProgress: () => {} } as const;
const docker = (...args: string[]): string =>
  execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

await using clipper = await startClipper({
  name: 'bench',
  backend: 'docker',
  queryPort: 0,
  managementPort: 0,
  rpcPort: 0,
  cacheBytes: 0,
});

async function firstAnswer(name: string, expected: number): Promise<void> {
  const { output } = await clipper.predict(name, [1, 1, 1]);
  if (output !== expected) throw new Error(`${name} answered ${String(output)} instead of ${expected}`);
}

const score = (round: number) => (row: Float64Array) => row.reduce((sum, x, index) => sum + x * (weights[index] ?? 0), round);

// What is made once: the base image of the running Node.
await createEndpoint(clipper, { ...quiet, name: 'warm', predictOne: score(0) });
const [base = ''] = docker('images', '-q', 'clipper-ts/runtime').split('\n');
const bare = await durations(rounds, async () => {
  if (docker('run', '--rm', '--entrypoint', 'node', base, '-p', '40 + 2') !== '42')
    throw new Error('docker run printed something else');
});
let imageMs: number[] = [];
const small = await durations(rounds, async (round) => {
  const name = `small-${round}`;
  let imageAt = 0;
  const onProgress = ({ stage, elapsedMs }: { stage: string; elapsedMs: number }): void => {
    if (stage === 'image') imageAt ||= elapsedMs;
    if (stage === 'start') imageMs = [...imageMs, elapsedMs - imageAt];
  };
  await createEndpoint(clipper, { ...quiet, name, predictOne: score(round), onProgress });
  await firstAnswer(name, 6 + round);
});
const next = await durations(rounds, async (round) => {
  await deployPredictFunction(clipper, { ...quiet, name: 'small-0', predictOne: score(round) });
  await firstAnswer('small-0', 6 + round);
});
await clipper.stopAllModelContainers();

const dir = mkdtempSync(join(tmpdir(), 'clipper-bench-'));
const built = await durations(rounds, async (round) => {
  const offset = round;
  const { dir: bundle } = await bundleClosure((rows: Float64Array[]) => rows.map((row) => row.length + offset), {
    outDir: join(dir, String(round)),
  });
  cpSync(bundle, join(dir, 'context', 'model'), { recursive: true });
  writeFileSync(
    join(dir, 'context', 'Dockerfile'),
    `FROM ${base}\nCOPY model /model\nENV CLIPPER_MODEL_NAME=m CLIPPER_MODEL_VERSION=1\n`,
  );
  docker('build', '-q', '-t', 'clipper-bench-built', join(dir, 'context'));
});
rmSync(dir, { recursive: true });
docker('rmi', '-f', 'clipper-bench-built');

const scaled: Record<'one' | 'eight', number[]> = { one: [], eight: [] };
for (let round = 0; round < 5; round++) {
  for (const [what, count] of [
    ['one', 1],
    ['eight', 8],
  ] as const) {
    await clipper.setNumReplicas('small-0', 0);
    scaled[what].push(...(await durations(1, () => clipper.setNumReplicas('small-0', count))));
  }
}

const ratio = (ofAll: readonly number[], toAll: readonly number[]): string => fixed(median(ofAll) / median(toAll));
printTable([
  ['', 'median ms', 'ratio', 'to'],
  ['docker run of the base, printing a line', fixed(median(bare), 0), '', ''],
  ['call to first answer', fixed(median(small), 0), ratio(small, bare), 'docker run'],
  ['another version, to its first answer', fixed(median(next), 0), ratio(next, bare), 'docker run'],
  ['docker build of a bundle', fixed(median(built), 0), '', ''],
  ['its image as we make it', fixed(median(imageMs), 0), ratio(imageMs, built), 'docker build'],
  ['one replica until it serves', fixed(median(scaled.one), 0), '', ''],
  ['eight replicas', fixed(median(scaled.eight), 0), ratio(scaled.eight, scaled.one), 'one'],
]);
