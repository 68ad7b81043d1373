import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The nearest folder at or above `dir` that passes `test`. */
function findUp(dir: string, test: (dir: string) => boolean): string | undefined {
  if (test(dir)) return dir;
  return dir === dirname(dir) ? undefined : findUp(dirname(dir), test);
}

/** The nearest folder at or above `dir` with a package.json; `dir` itself if there is none. */
export const findProjectDir = (dir: string): string => findUp(dir, (each) => existsSync(join(each, 'package.json'))) ?? dir;

// The build folder has a package.json as well, which only sets the module format.
const isOurs = (dir: string): boolean => {
  const file = join(dir, 'package.json');
  return existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name === 'clipper-ts';
};

/** This package's folder, whether its source or its build runs. */
const ownDir = findUp(import.meta.dirname, isOurs);
export const packageDir: string = ownDir ?? import.meta.dirname;

/** False if our code was bundled into another program. */
export const isInOwnFolder: boolean = ownDir !== undefined;

/** Whether a file is code of this package. */
export const isOwnCode = (file: string): boolean =>
  ['dist', 'src', 'runtime'].some((dir) => file.startsWith(join(packageDir, dir, '/')));

/** Loads this package's dependencies on demand. */
export const ownRequire: NodeJS.Require = createRequire(join(packageDir, 'package.json'));

export const packageVersion = (): string =>
  (JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')) as { version: string }).version;

/** The built programs that run as separate processes. */
export const serverProgram: string = join(packageDir, 'dist', 'server.js');
export const stateProgram: string = join(packageDir, 'dist', 'package-state.js');
export const replicaProgram: string = join(packageDir, 'dist', 'runtime', 'main.js');
