import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transformSync } from 'esbuild';
import { bundleClosure } from '../../src/bundle/bundle.ts';
import { packageDir } from '../../src/util/package-files.ts';
import { closureCases } from '../fixtures/closures/all.ts';
import { type Outcome, roundTrip } from '../helpers/round-trip.ts';

type Outcomes = Readonly<Record<string, Outcome>>;

const run = (args: readonly string[]): Outcomes =>
  JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', cwd: packageDir })) as Outcomes;

const fixtures = ['all', 'case', 'functions', 'modules', 'state', 'values', 'variables'].map(
  (name) => `fixtures/closures/${name}`,
);

/** Compiles the cases file by file, as a user's build would, and runs them with plain Node. */
function compiled(format: 'esm' | 'cjs'): Outcomes {
  const ending = format === 'esm' ? '.mjs' : '.cjs';
  // Inside the package, so that packages are found; and in no node_modules, whose code would not be the user's.
  const outDir = mkdtempSync(join(packageDir, 'test', '.compiled-'));
  try {
    for (const name of ['helpers/print-outcomes', 'helpers/round-trip', ...fixtures]) {
      const source = readFileSync(join(packageDir, 'test', `${name}.ts`), 'utf8').replace(/\.ts';/g, `${ending}';`);
      const { code } = transformSync(source, { loader: 'ts', format, target: 'node20' });
      mkdirSync(dirname(join(outDir, name)), { recursive: true });
      writeFileSync(join(outDir, name + ending), code);
    }
    return run([join(outDir, 'helpers', `print-outcomes${ending}`)]);
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

describe.each([
  ['under jest', () => roundTrip(closureCases, bundleClosure)],
  ['under tsx', async () => run(['--import', 'tsx', 'test/helpers/print-outcomes.ts'])],
  ['in plain ES modules', async () => compiled('esm')],
  ['in plain CommonJS', async () => compiled('cjs')],
] as const)('captured %s', (_where, outcomesOf) => {
  let outcomes: Outcomes;
  beforeAll(async () => {
    outcomes = await outcomesOf();
  });

  test.each(closureCases)('$name', ({ name, expected }) => {
    expect(outcomes[name]).toEqual({ returned: expected });
  });
});
