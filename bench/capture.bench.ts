// How long capture and bundling take, and what large binary data costs beside writing the same bytes.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleClosure, captureClosure } from 'clipper-ts';
import { Matrix } from 'ml-matrix';
import { durations, fixed, median, printTable } from './statistics.ts';

const dir = await mkdtemp(join(tmpdir(), 'clipper-bench-'));
const weights = [1, 2, 3];
const small = (row: Float64Array): number => row.reduce((sum, x, index) => sum + x * (weights[index] ?? 0), 0);
const factor = new Matrix([[1, 2]]);
const withPackage = (row: Float64Array): number => new Matrix([[...row]]).mul(factor).sum();

try {
  const outDir = join(dir, 'bundle');
  const rows = [['', 'first ms', 'median of 30 ms']];
  for (const [name, fn] of [
    ['a small closure', small],
    ['one that uses a package', withPackage],
  ] as const) {
    const captures = await durations(31, () => captureClosure(fn));
    const bundles = await durations(31, () => bundleClosure(fn, { outDir }));
    rows.push([`capture ${name}`, fixed(captures[0] ?? 0), fixed(median(captures.slice(1)))]);
    rows.push([`capture and bundle ${name}`, fixed(bundles[0] ?? 0), fixed(median(bundles.slice(1)))]);
  }
  printTable(rows);

  const large = new Float32Array(64 * 2 ** 20);
  for (let index = 0; index < large.length; index++) large[index] = index;
  const predict = (row: Float64Array): number => (large[row.length] ?? 0) + large.length;
  const raw = join(dir, 'raw');
  const writes = await durations(5, () => writeFile(raw, large));
  await rm(raw);
  const peakBefore = process.resourceUsage().maxRSS;
  const bundles = await durations(5, () => bundleClosure(predict, { outDir }));
  const peak = process.resourceUsage().maxRSS;
  if (!(await readFile(join(outDir, 'assets/0.bin'))).equals(Buffer.from(large.buffer))) throw new Error('the asset differs');
  const bytes = large.byteLength;
  console.log(`\na captured Float32Array of ${bytes / 2 ** 20} MiB`);
  printTable([
    ['', 'median ms', 'ratio'],
    ['fs.writeFile of the same bytes', fixed(median(writes), 0), '1.00'],
    ['capture and bundle', fixed(median(bundles), 0), fixed(median(bundles) / median(writes))],
  ]);
  const share = (kibibytes: number): string => fixed((kibibytes * 1_024) / bytes);
  console.log(`most memory the process ever had: ${share(peak)} × the array, of which ${share(peakBefore)} × before`);
} finally {
  await rm(dir, { recursive: true, force: true });
}
