// Runs small programs over packages that people hold in what they deploy, each in a process of its own, and lists how they travel.
// `npm run packages` runs all of them, `npm run packages -- lodash yup` some; with `--write` the list in docs/ is written anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageDir } from '../../src/util/package-files.ts';
import { type Outcome, outcomeOf, packagesOf, programNames, projectOf } from '../helpers/package-programs.ts';

const page = join(packageDir, 'docs', '14-packages.md');

function words({ verdict, fixed, warnings = [] }: Outcome): string {
  if (verdict === 'right') return warnings.length === 0 ? 'travels' : 'travels, with a warning';
  const isFixed = fixed?.verdict === 'right' ? '; right with the `setup` that this names' : '';
  if (verdict === 'warned') return `a setting stays behind, with a warning${isFixed}`;
  return verdict === 'refused' ? `refused${isFixed}` : verdict;
}

async function main(args: readonly string[]): Promise<void> {
  const wanted = args.filter((each) => !each.startsWith('-'));
  const names = wanted.length === 0 ? programNames() : wanted;
  await using project = await projectOf(names);
  const rows: string[] = [];
  let bad = 0;
  for (const name of names) {
    const outcome: Outcome = await outcomeOf(project, name).catch((error: Error) => ({
      verdict: 'failed',
      message: error.message,
    }));
    const versions = packagesOf(name).map((each) => {
      const json = readFileSync(join(project.path, 'node_modules', each, 'package.json'), 'utf8');
      return `${each} ${(JSON.parse(json) as { version: string }).version}`;
    });
    const isBad =
      outcome.verdict === 'wrong' || outcome.verdict === 'failed' || (outcome.fixed && outcome.fixed.verdict !== 'right');
    if (isBad) bad++;
    console.log(`${isBad ? '✗' : '✓'} ${name}: ${words(outcome)}${outcome.ms === undefined ? '' : ` (${outcome.ms} ms)`}`);
    if (isBad || args.includes('--verbose')) console.log(JSON.stringify(outcome, undefined, 2));
    for (const warning of outcome.warnings ?? []) console.log(`    ${warning}`);
    rows.push(`| ${versions.join(', ')} | ${words(outcome)} |`);
  }
  console.log(`${names.length - bad} right or refused, ${bad} not`);
  if (args.includes('--write')) writeTable(rows);
  process.exitCode = bad === 0 ? 0 : 1;
}

function writeTable(rows: readonly string[]): void {
  const [head = ''] = readFileSync(page, 'utf8').split('\n| packages |');
  writeFileSync(page, [head, '| packages | a closure that holds what they made |', '|---|---|', ...rows, ''].join('\n'));
}

await main(process.argv.slice(2));
