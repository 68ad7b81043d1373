import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageDir } from '../../src/util/package-files.ts';
import { temporaryDir } from './temporary-dir.ts';

/** A version of a package in a registry: its package.json, and its other files. */
export interface Published {
  readonly name: string;
  readonly version: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly [key: string]: unknown;
}

export interface NpmRegistry extends AsyncDisposable {
  /** What a project's .npmrc says to use it, with a cache of its own. */
  readonly npmrc: string;
  readonly url: string;
  /** The paths that were asked for. */
  requests(): readonly string[];
}

/** Starts a registry in a process of its own: tests wait for programs without letting their own process do anything. */
export async function npmRegistry(packages: readonly Published[]): Promise<NpmRegistry> {
  const dir = await temporaryDir();
  const [file, log] = ['packages.json', 'requests.log'].map((name) => join(dir.path, name)) as [string, string];
  writeFileSync(file, JSON.stringify(packages));
  writeFileSync(log, '');
  const program = join(packageDir, 'test/helpers/npm-registry.mjs');
  const child = spawn(process.execPath, [program, file, log], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  const url = `http://127.0.0.1:${String(port).trim()}/`;
  return {
    url,
    npmrc: `registry=${url}\ncache=${join(dir.path, 'cache')}\n`,
    requests: () => readFileSync(log, 'utf8').trim().split('\n').filter(Boolean),
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
      await dir[Symbol.asyncDispose]();
    },
  };
}
