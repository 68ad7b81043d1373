// Whether a restored closure runs as fast as the original: the two take turns in one process. Where `@pulumi/pulumi` is
// installed (`npm install --no-save @pulumi/pulumi@3`), what its serializer makes of the closures is measured beside it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleClosure } from 'clipper-ts';
import { closures } from './cpu-closures.ts';
import { fixed, median, printTable } from './statistics.ts';

type Task = () => number;

const rounds = 51;
const warmUpMs = 500;

/** Median of the ratios of neighbouring rounds, which a change of the machine's pace hurts least. */
function ratio(original: Task, other: Task, expected: number): number {
  const time = (task: Task): number => {
    const began = performance.now();
    if (task() !== expected) throw new Error('a restored closure gives another result');
    return performance.now() - began;
  };
  // Until both are compiled as well as they will be.
  for (const task of [original, other]) for (let spent = 0; spent < warmUpMs; ) spent += time(task);
  const ratios = Array.from({ length: rounds }, (_, round) => {
    // Whichever runs second finds the caches as the first left them.
    if (round % 2 === 0) return 1 / (time(original) / time(other));
    return time(other) / time(original);
  });
  return median(ratios);
}

async function restore(name: string, fn: Task): Promise<Task> {
  const { entry } = await bundleClosure(fn, { outDir: join(dir, name) });
  return ((await import(pathToFileURL(entry).href)) as { default: Task }).default;
}

/** Undefined where Pulumi is not installed or does not get the closure through. */
async function restoreWithPulumi(name: string, fn: Task, expected: number): Promise<Task | undefined> {
  const require = createRequire(import.meta.url);
  try {
    const { runtime } = require('@pulumi/pulumi') as {
      runtime: { serializeFunction(fn: Task): Promise<{ text: string; exportName: string }> };
    };
    const { text, exportName } = await runtime.serializeFunction(fn);
    const file = join(dir, `${name}-pulumi.cjs`);
    await writeFile(file, text);
    const restored = (require(file) as Record<string, Task>)[exportName];
    return restored?.() === expected ? restored : undefined;
  } catch {
    return undefined;
  }
}

const dir = await mkdtemp(join(tmpdir(), 'clipper-bench-'));
try {
  const rows = [['time restored / time original', 'clipper-ts', 'pulumi']];
  const all: number[] = [];
  for (const [name, fn] of Object.entries(closures)) {
    const expected = fn();
    const own = ratio(fn, await restore(name, fn), expected);
    const pulumi = await restoreWithPulumi(name, fn, expected);
    all.push(own);
    rows.push([name, fixed(own), pulumi === undefined ? '-' : fixed(ratio(fn, pulumi, expected))]);
  }
  const mean = Math.exp(all.reduce((sum, each) => sum + Math.log(each), 0) / all.length);
  rows.push(['geometric mean', fixed(mean, 3), '']);
  printTable(rows);
} finally {
  await rm(dir, { recursive: true, force: true });
}
