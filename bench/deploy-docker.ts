// Deploying to Docker: against `docker run` of the same base, and against a `docker build` of the same kind of bundle.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bundleClosure,
  type ClipperConnection,
  createEndpoint,
  deployPredictFunction,
  type OnProgress,
  startClipper,
} from 'clipper-ts';
import { durations, fixed, median, printTable } from './statistics.ts';

const rounds = 11;
const weights = [1, 2, 3];
const quiet = { inputType: 'doubles', onProgress: () => {} } as const;
const score = (round: number) => (row: Float64Array) => row.reduce((sum, x, index) => sum + x * (weights[index] ?? 0), round);

const docker = (...args: string[]): string =>
  execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

async function answers(clipper: ClipperConnection, name: string, round: number): Promise<void> {
  const { output } = await clipper.predict(name, [1, 1, 1]);
  if (output !== 6 + round) throw new Error(`${name} answered ${String(output)} instead of ${6 + round}`);
}

/** The time from the first word of an image to that of starting replicas, for each deploy. */
function imageTimes(): { readonly all: number[]; readonly onProgress: OnProgress } {
  const all: number[] = [];
  let began: number | undefined;
  return {
    all,
    onProgress: ({ stage, elapsedMs }) => {
      if (stage === 'image') began ??= elapsedMs;
      if (stage !== 'start') return;
      all.push(elapsedMs - (began ?? elapsedMs));
      began = undefined;
    },
  };
}

/** Classic builds: each of another bundle, which lies in its context already. */
async function timeBuilds(base: string): Promise<number[]> {
  const dir = mkdtempSync(join(tmpdir(), 'clipper-bench-'));
  const context = (round: number): string => join(dir, `context-${round}`);
  const tags = Array.from({ length: rounds }, (_, round) => `clipper-bench-built:${round}`);
  try {
    for (const round of tags.keys()) {
      const { dir: bundle } = await bundleClosure(score(round), { outDir: join(dir, 'bundle') });
      cpSync(bundle, join(context(round), 'model'), { recursive: true });
      writeFileSync(
        join(context(round), 'Dockerfile'),
        `FROM ${base}\nCOPY model /model\nENV CLIPPER_MODEL_NAME=m CLIPPER_MODEL_VERSION=1\n`,
      );
    }
    return await durations(rounds, async (round) => docker('build', '-q', '-t', tags[round] ?? '', context(round)));
  } finally {
    rmSync(dir, { recursive: true });
    docker('rmi', '-f', ...tags);
  }
}

export async function benchDocker(): Promise<void> {
  const ports = { queryPort: 0, managementPort: 0, rpcPort: 0 };
  await using clipper = await startClipper({ name: 'bench', backend: 'docker', ...ports, cacheBytes: 0 });
  // Makes what is made once: the base image of the running Node.
  const { image: base = '' } = await createEndpoint(clipper, { ...quiet, name: 'warm', predictOne: score(0) });
  const bare = await durations(rounds, async () => {
    const printed = docker('run', '--rm', '--entrypoint', 'node', base, '-p', '40 + 2');
    if (printed !== '42') throw new Error(`docker run printed ${printed}`);
  });
  const { all: images, onProgress } = imageTimes();
  const first = await durations(rounds, async (round) => {
    await createEndpoint(clipper, { ...quiet, name: `first-${round}`, predictOne: score(round), onProgress });
    await answers(clipper, `first-${round}`, round);
  });
  const next = await durations(rounds, async (round) => {
    await deployPredictFunction(clipper, { ...quiet, name: 'first-0', predictOne: score(round) });
    await answers(clipper, 'first-0', round);
  });
  const eight = await durations(5, async (round) => {
    await deployPredictFunction(clipper, { ...quiet, name: 'first-1', predictOne: score(round), replicas: 8 });
    await answers(clipper, 'first-1', round);
    await clipper.stopModels('first-1');
  });
  const built = await timeBuilds(base);
  const row = (name: string, times: readonly number[], to?: readonly number[], what = ''): string[] => [
    name,
    fixed(median(times), 0),
    to === undefined ? '' : fixed(median(times) / median(to)),
    what,
  ];
  printTable([
    ['on Docker', 'median ms', 'ratio', 'to'],
    row('docker run of the base, printing a line', bare),
    row('a small closure, to its first answer', first, bare, 'docker run'),
    row('another version of it', next, bare, 'docker run'),
    row('another version with eight replicas', eight, next, 'one'),
    row('docker build of a bundle', built),
    row('the image as we make it', images, built, 'docker build'),
  ]);
}
