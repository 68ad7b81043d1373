// What a large graph of small objects costs beside v8.serialize and v8.deserialize, and large binary data in memory.
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { bundleClosure } from 'clipper-ts';
import { durations, fixed, median, printTable } from './statistics.ts';

const dir = await mkdtemp(join(tmpdir(), 'clipper-bench-'));
const outDir = join(dir, 'bundle');
const count = 1_000_000;
const rounds = 5;

/** Runs a program in a fresh process that imports the bundle, and returns what it prints. */
const inReplica = (program: string): readonly number[] => {
  const entry = JSON.stringify(join(outDir, 'closure.mjs'));
  const text = `import { readFileSync } from 'node:fs'; const began = performance.now();
    const { default: f } = await import(${entry}); const ms = performance.now() - began; ${program}`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', text], { encoding: 'utf8' })) as number[];
};

const graphs = {
  'objects of three members': () => Array.from({ length: count }, (_, id) => ({ id, name: `n${id % 1_000}`, score: id / 7 })),
  'a tree of objects and arrays': () => {
    const nodes = Array.from({ length: count / 2 }, (_, id) => ({ id, children: [] as unknown[] }));
    for (const [id, node] of nodes.entries()) if (id > 0) nodes[(id - 1) >> 3]?.children.push(node);
    return nodes[0];
  },
};

try {
  const rows = [['1,000,000 small objects', 'v8.serialize ms', 'capture and bundle', 'v8.deserialize ms', 'load in a replica']];
  for (const [name, make] of Object.entries(graphs)) {
    const graph = make();
    const predict = (): unknown => graph;
    const [serialized, bundled, loaded, deserialized]: number[][] = [[], [], [], []];
    for (let round = 0; round < rounds; round++) {
      let bytes = Buffer.alloc(0);
      serialized?.push(...(await durations(1, async () => (bytes = serialize(graph)))));
      deserialized?.push(...(await durations(1, async () => deserialize(bytes))));
      bundled?.push(...(await durations(1, () => bundleClosure(predict, { outDir }))));
      loaded?.push(inReplica('console.log(JSON.stringify([ms]));')[0] ?? 0);
    }
    const [before, after] = [median(serialized ?? []), median(deserialized ?? [])];
    const ratio = (values: readonly number[] | undefined): string => `${fixed(median(values ?? []) / before, 1)} ×`;
    rows.push([name, fixed(before, 0), ratio(bundled), fixed(after, 0), ratio(loaded)]);
  }
  printTable(rows);
  console.log('(both as multiples of v8.serialize)');

  const weights = new Float32Array(2 ** 28);
  for (let index = 0; index < weights.length; index += 1_024) weights[index] = index;
  await bundleClosure((index: number) => weights[index], { outDir });
  const peak = `Number(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024`;
  const [value, used = 0] = inReplica(`console.log(JSON.stringify([f(1024), ${peak}]));`);
  if (value !== 1_024) throw new Error('the restored array differs');
  console.log(`\nmost memory for a Float32Array of 1 GiB: ${fixed(used / weights.byteLength)} × its size where it is loaded`);
} finally {
  await rm(dir, { recursive: true, force: true });
}
