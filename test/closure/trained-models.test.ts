import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageDir } from '../../src/util/package-files.ts';

/** The last line that a program prints, as JSON. */
const lastLine = (args: readonly string[]): unknown =>
  JSON.parse(
    execFileSync(process.execPath, args, { encoding: 'utf8', cwd: packageDir, stdio: 'pipe' }).trimEnd().split('\n').at(-1) ?? '',
  );

test('a network of TensorFlow.js that was trained in the process predicts the same in another', () => {
  const outDir = mkdtempSync(join(tmpdir(), 'trained-models-'));
  try {
    const trained = lastLine(['test/fixtures/programs/tensorflow.mjs', outDir]) as { entry: string; predicted: number[][] };
    const program = `const { default: f } = await import(${JSON.stringify(pathToFileURL(trained.entry).href)});
      console.log(JSON.stringify(f([[1, 2], [3, 4]])));`;
    expect(lastLine(['--input-type=module', '-e', program])).toEqual(trained.predicted);
    expect(trained.predicted.flat().every(Number.isFinite)).toBe(true);
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
});
