import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transformSync } from 'esbuild';
import { packageDir } from '../../src/util/package-files.ts';
import { type Outcomes, printedBy } from './conformance.ts';

const fixturesDir = join(packageDir, 'test/fixtures/closures');
const fixtures = (readdirSync(fixturesDir, { recursive: true }) as string[])
  .filter((path) => /\.(ts|cjs|json)$/.test(path))
  .map((path) => `fixtures/closures/${path}`);

/** Compiles the table of closures file by file, as a user's build would, and runs it with plain Node. */
export function outcomesCompiled(format: 'esm' | 'cjs'): Outcomes {
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
    return printedBy([join(outDir, 'helpers', `print-outcomes${ending}`)]);
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}
