import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { bundleClosure } from '../../src/bundle/bundle.ts';
import type { ClosureCase } from '../fixtures/closures/case.ts';

/** What a restored closure did in a fresh process. */
export interface Outcome {
  readonly returned?: unknown;
  readonly threw?: string;
}

/** Captures and bundles every case, and calls the restored closures in one fresh Node process. */
export async function roundTrip(
  cases: readonly ClosureCase[],
  bundle: typeof bundleClosure,
): Promise<Readonly<Record<string, Outcome>>> {
  const dir = mkdtempSync(join(tmpdir(), 'round-trip-'));
  try {
    const failed: Record<string, Outcome> = {};
    const bundles: { name: string; entry: string; args: readonly unknown[] }[] = [];
    for (const [index, { name, make, args = [] }] of cases.entries()) {
      try {
        const { entry } = await bundle(make(), { outDir: join(dir, String(index)) });
        bundles.push({ name, entry, args });
      } catch (error) {
        failed[name] = { threw: (error as Error).stack ?? String(error) };
      }
    }
    const list = join(dir, 'bundles.json');
    writeFileSync(list, JSON.stringify(bundles));
    const printed = execFileSync(process.execPath, ['test/helpers/replay.mjs', list], { encoding: 'utf8' });
    return { ...(JSON.parse(printed) as Record<string, Outcome>), ...failed };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
