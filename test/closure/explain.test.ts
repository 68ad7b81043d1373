import { join } from 'node:path';
import { Matrix } from 'ml-matrix';
import { bundleClosure } from '../../src/bundle/bundle.ts';
import { readGraph } from '../../src/closure/capture-closure.ts';
import { explainClosure, reportOf } from '../../src/closure/explain-closure.ts';
import * as rules from '../../src/closure/graph/secret-rules.ts';
import type { CaptureNode, CaptureReport } from '../../src/closure/report/report.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

function* nodesOf(nodes: readonly CaptureNode[]): Generator<CaptureNode> {
  for (const node of nodes) {
    yield node;
    yield* nodesOf(node.children);
  }
}

function at({ roots }: CaptureReport, path: string): CaptureNode {
  const paths = new Map([...nodesOf(roots)].map((node) => [node.path, node]));
  const found = paths.get(path);
  if (found === undefined) throw new Error(`there is no "${path}" among:\n${[...paths.keys()].join('\n')}`);
  return found;
}

const kindsAt = (report: CaptureReport, path: string): string[] => at(report, path).flags.map(({ kind }) => kind);

const weights = new Float64Array(100_000);
const words = ['a', 'b'];
const config = { rate: 0.1, layers: [{ kernel: new Float32Array(5_000) }] };
class Model {
  #bias = Float64Array.of(1);
  run = (x: number) => x + (this.#bias[0] ?? 0);
}
const model = new Model();
const helper = (x: number) => x * (weights.at(-1) ?? 0);
const matrix = new Matrix([[1, 2]]);

function predict(inputs: number[]) {
  return inputs.map(
    (x) => helper(x) + model.run(x) + config.layers.length + words.length + weights.indexOf(1) + matrix.get(0, 0),
  );
}

describe('the tree', () => {
  let report: CaptureReport;
  beforeAll(async () => {
    report = await explainClosure(predict);
  });

  test('begins with the function, and where it was written', () => {
    expect(report.roots).toHaveLength(1);
    expect(report.roots[0]).toMatchObject({ name: 'predict', path: 'predict', how: 'value', type: 'function' });
    expect(report.roots[0]?.why).toMatch(/^written at test\/closure\/explain\.test\.ts:37$/);
    expect(report.problems).toEqual([]);
  });

  test('says of each variable how it travels, what it is, and which function uses it', () => {
    const found = at(report, 'predict → captured "weights"');
    expect(found).toMatchObject({ name: 'captured "weights"', how: 'asset', type: 'Float64Array(100000)', children: [] });
    expect(found.why).toBe('used by predict at test/closure/explain.test.ts:39 and 1 more');
    expect(at(report, 'predict → captured "words"')).toMatchObject({ how: 'value', type: 'array(2)' });
    expect(at(report, 'predict → captured "matrix" → prototype')).toMatchObject({ how: 'reference' });
    expect(at(report, 'predict → captured "model"').type).toBe('Model');
  });

  test('says which function reads a member', () => {
    expect(at(report, 'predict → captured "config" → .layers').why).toBe('read by predict at test/closure/explain.test.ts:39');
  });

  test('leads down to what is large, in whatever it lies', () => {
    const found = at(report, 'predict → captured "config" → .layers → [0] → .kernel');
    expect(found).toMatchObject({ how: 'asset', type: 'Float32Array(5000)' });
    expect(at(report, 'predict → captured "model" → .#bias').why).toBe('a private field');
  });

  test('counts everything once', () => {
    expect(at(report, 'predict → captured "weights"').bytes).toBeGreaterThanOrEqual(800_000);
    expect(at(report, 'predict → captured "helper" → captured "weights"')).toMatchObject({ bytes: 0, why: 'counted before' });
    expect(report.bytes).toBeGreaterThan(820_000);
    expect(report.bytes).toBeLessThan(825_000);
    for (const { bytes, children } of nodesOf(report.roots)) {
      expect(children.reduce((sum, child) => sum + child.bytes, 0)).toBeLessThanOrEqual(bytes);
    }
  });

  test('prints in a terminal of 100 columns', () => {
    const lines = String(report).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(lines[0]).toMatch(/^ {2}predict +\d+\.\d KiB value +function +…\/explain\.test\.ts:37$/);
    expect(String(report)).toMatch(/^ {2}├─ captured "weights" +781\.\d KiB asset +Float64Array\(100000\) +\S.* \+1$/m);
    expect(String(report)).toMatch(/│ {2}└─ captured "weights"/);
  });

  test('holds plain data', () => {
    expect(JSON.parse(JSON.stringify(report.roots))).toEqual(report.roots);
  });
});

describe('a large graph', () => {
  const million = Array.from({ length: 1_000_000 }, (_, id) => ({ id, half: id / 2 }));

  test('is summed up exactly, in few lines', async () => {
    const { captured } = await readGraph({ default: () => million.map(({ id }) => id) }, { secrets: 'warn' });
    const report = reportOf(captured, []);
    const found = at(report, 'function → captured "million"');
    expect(found.children.map(({ name }) => name)).toEqual(['[0]', '[1]', '[2]', '… and 999,997 more']);
    const [first, , , rest] = found.children;
    expect(rest?.bytes).toBe(999_997 * (first?.bytes ?? 0));
    expect(found.bytes).toBe(8 + 8 * 1_000_000 + 1_000_000 * (first?.bytes ?? 0));
  });

  test('has at most a thousand lines, however it branches', async () => {
    const many = Array.from({ length: 15 }, () => Array.from({ length: 15 }, () => Array.from({ length: 15 }, () => () => 1)));
    const report = await explainClosure(() => many);
    const all = [...nodesOf(report.roots)];
    expect(all.length).toBeGreaterThan(500);
    expect(all.length).toBeLessThanOrEqual(1_000);
  });

  test('may be deep', async () => {
    let chain: object = { end: () => 1 };
    for (let depth = 0; depth < 100_000; depth++) chain = { next: chain };
    const report = await explainClosure(() => chain);
    expect([...String(report).matchAll(/\.next /g)].length).toBeGreaterThan(500);
    expect(report.bytes).toBeGreaterThan(1_600_000);
  });
});

describe('flags', () => {
  const rows = Array.from({ length: 5_000 }, (_, id) => ({ id }));
  const scanned = [...rows];

  test.each([
    ['an array of which one element is read', () => rows[0]?.id],
    ['only the length', () => rows.length],
  ])('barely used: %s', async (_what, fn) => {
    const report = await explainClosure(fn);
    const [variable] = report.roots[0]?.children ?? [];
    expect(variable?.flags).toEqual([{ kind: 'barely-used', message: expect.stringContaining('all 5,000') }]);
    expect(String(report)).toMatch(/^! └─ captured "\w+"/m);
    expect(String(report).replace(/\s+/g, ' ')).toContain('Fix: keep that in a variable outside the function.');
  });

  test.each([
    ['an element that is computed', (i: number) => rows[i]],
    ['a method that sees all', () => rows.map(({ id }) => id)],
    ['a loop beside a fixed element', () => [scanned[0], ...scanned]],
    ['another variable that leads to it', () => [rows[0], { rows }]],
  ])('used: %s', async (_what, fn) => {
    const [variable] = (await explainClosure(fn)).roots[0]?.children ?? [];
    expect(variable?.flags).toEqual([]);
  });

  test('large: what is over 1 MiB as text, where it lies', async () => {
    const texts = { small: 'x', large: ['y'.repeat(2 ** 20 + 1)] };
    const report = await explainClosure(() => texts);
    expect(kindsAt(report, 'function → captured "texts" → .large')).toEqual(['large']);
    expect(kindsAt(report, 'function → captured "texts"')).toEqual([]);
    expect(String(report)).toContain('typed');
  });

  test('large: binary data from 64 MiB on', async () => {
    const fine = new Uint8Array(63 * 2 ** 20);
    const large = new Uint8Array(65 * 2 ** 20);
    const report = await explainClosure(() => fine.indexOf(1) + large.indexOf(1));
    expect(kindsAt(report, 'function → captured "fine"')).toEqual([]);
    expect(kindsAt(report, 'function → captured "large"')).toEqual(['large']);
  });

  test('whole module: one of the user’s own that is used as an object', async () => {
    const count = Object.keys(rules).length;
    const report = await explainClosure(() => Object.keys(rules));
    const [variable] = report.roots[0]?.children ?? [];
    expect(variable?.flags).toEqual([{ kind: 'whole-module', message: expect.stringContaining(`all its ${count} exports`) }]);
  });
});

describe('problems', () => {
  const pending = Promise.resolve(1);

  test('are listed instead of thrown, beneath the tree', async () => {
    const report = await explainClosure(() => pending);
    expect(report.problems).toEqual([expect.objectContaining({ path: 'function → captured "pending"' })]);
    expect(String(report)).toMatch(/✗ function → captured "pending"\n +can't travel: a promise\. Fix: await it/);
  });

  test('unknown options are refused', async () => {
    await expect(explainClosure(() => 1, { secret: 'warn' } as never)).rejects.toMatchObject({ code: 'E_INVALID_OPTION' });
  });
});

test('a bundle tells the same', async () => {
  await using dir = await temporaryDir();
  const { captured } = await bundleClosure(predict, { outDir: join(dir.path, 'bundle') });
  expect(captured.roots).toEqual((await explainClosure(predict)).roots);
});
