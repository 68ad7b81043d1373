import { execFileSync } from 'node:child_process';
import { packageDir } from '../../src/util/package-files.ts';
import { closureCases } from '../fixtures/closures/all.ts';
import type { ClosureCase } from '../fixtures/closures/case.ts';
import type { Outcome } from './round-trip.ts';

export type Outcomes = Readonly<Record<string, Outcome>>;

/** Some hundred captures, on a machine that may have other work. */
const manyCasesMs = 300_000;

/** Tests that every closure of the table, captured in one way of running code, returns in a fresh process what is expected. */
export function describeTable(way: string, take: () => Promise<Outcomes>, cases: readonly ClosureCase[] = closureCases): void {
  describe(`the table of closures, captured ${way}`, () => {
    let outcomes: Outcomes;
    beforeAll(async () => {
      outcomes = await take();
    }, manyCasesMs);

    test.each(cases)('$name', ({ name, expected }) => {
      expect(outcomes[name]).toEqual({ returned: expected });
    });
  });
}

/** The outcomes that a program of Node prints, which runs in the folder of the package. */
export const printedBy = (args: readonly string[]): Outcomes =>
  JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', cwd: packageDir })) as Outcomes;
