import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transformSync } from 'esbuild';
import { bundleClosure } from '../../src/bundle/bundle.ts';
import { packageDir } from '../../src/util/package-files.ts';
import { closureCases } from '../fixtures/closures/all.ts';
import { type Outcome, roundTrip } from '../helpers/round-trip.ts';

type Outcomes = Readonly<Record<string, Outcome>>;

const run = (args: readonly string[]): Outcomes =>
  JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', cwd: packageDir })) as Outcomes;

const fixturesDir = join(packageDir, 'test/fixtures/closures');
const fixtures = (readdirSync(fixturesDir, { recursive: true }) as string[])
  .filter((path) => /\.(ts|cjs|json)$/.test(path))
  .map((path) => `fixtures/closures/${path}`);

/** Compiles the cases file by file, as a user's build would, and runs them with plain Node. */
function compiled(format: 'esm' | 'cjs'): Outcomes {
  const ending = format === 'esm' ? '.mjs' : '.cjs';
  // Inside the package, so that packages are found; and in no node_modules, whose code would not be the user's.
  const outDir = mkdtempSync(join(packageDir, 'test', '.compiled-'));
  try {
    for (const path of ['helpers/print-outcomes.ts', 'helpers/round-trip.ts', ...fixtures]) {
      const target = join(outDir, path.replace(/\.ts$/, ending));
      mkdirSync(dirname(target), { recursive: true });
      const source = readFileSync(join(packageDir, 'test', path), 'utf8');
      if (!path.endsWith('.ts')) writeFileSync(target, source);
      else {
        const { code } = transformSync(source.replace(/\.ts'/g, `${ending}'`), { loader: 'ts', format, target: 'node20' });
        writeFileSync(target, code);
      }
    }
    return run([join(outDir, 'helpers', `print-outcomes${ending}`)]);
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

/** Some hundred captures, on a machine that may have other work. */
const manyCasesMs = 300_000;

describe.each([
  ['under jest', () => roundTrip(closureCases, bundleClosure)],
  ['under tsx', async () => run(['--import', 'tsx', 'test/helpers/print-outcomes.ts'])],
  ['in plain ES modules', async () => compiled('esm')],
  ['in plain CommonJS', async () => compiled('cjs')],
] as const)('captured %s', (where, outcomesOf) => {
  let outcomes: Outcomes;
  beforeAll(async () => {
    outcomes = await outcomesOf();
  }, manyCasesMs);

  const cases = closureCases.filter(({ searchesHeap }) => where !== 'under jest' || searchesHeap !== true);
  test.each(cases)('$name', ({ name, expected }) => {
    expect(outcomes[name]).toEqual({ returned: expected });
  });
});
