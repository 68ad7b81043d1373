import { execFile } from 'node:child_process';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageDir } from '../../src/util/package-files.ts';
import { InstalledPackage } from './installed-package.ts';

/** Small programs over packages, each with a function to deploy. */
const folder = join(packageDir, 'test', 'packages');
const run = promisify(execFile);

export interface Outcome {
  readonly verdict: 'right' | 'refused' | 'warned' | 'wrong' | 'failed';
  readonly warnings?: readonly string[];
  readonly message?: string;
  readonly fixed?: Outcome;
  readonly ms?: number;
}

export const programNames = (): readonly string[] =>
  readdirSync(join(folder, 'programs')).map((file) => file.replace(/\.ts$/, ''));

/** The packages that a program imports. */
export function packagesOf(name: string): readonly string[] {
  const text = readFileSync(join(folder, 'programs', `${name}.ts`), 'utf8');
  const specifiers = [...text.matchAll(/^import (?:.* from )?'([^']+)'/gm)].map(([, specifier = '']) => specifier);
  const names = specifiers.map((each) => each.split('/', each.startsWith('@') ? 2 : 1).join('/'));
  return [...new Set(names.filter((each) => !isBuiltin(each)))];
}

/** Installs the packages of some programs in a project of its own. */
export async function projectOf(names: readonly string[]): Promise<InstalledPackage> {
  const project = await InstalledPackage.of({ others: ['tsx', ...new Set(names.flatMap(packagesOf))] });
  cpSync(folder, project.path, { recursive: true });
  return project;
}

export async function outcomeOf(project: InstalledPackage, name: string): Promise<Outcome> {
  const args = ['--import', 'tsx', 'deploy-program.ts', name];
  const { stdout } = await run(process.execPath, args, { cwd: project.path, timeout: 120_000, maxBuffer: 1e8 });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Outcome;
}
