import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Bundle } from '../../src/bundle/bundle.ts';
import { packageDir } from '../../src/util/package-files.ts';
import { temporaryDir } from './temporary-dir.ts';

/** What a project installs: texts and bytes by path, and links by `-> target`. */
export type ProjectFiles = Readonly<Record<string, string | Uint8Array>>;

/** What bundling gave: the bundle, or the error that it ended with. */
export type Bundled = Bundle & { readonly error?: { readonly code: string; readonly message: string } };

/** Some user's project with packages of its own, in a folder outside of this repository. */
export class PackageProject implements AsyncDisposable {
  readonly #dir: Awaited<ReturnType<typeof temporaryDir>>;
  #bundles = 0;

  constructor(dir: Awaited<ReturnType<typeof temporaryDir>>) {
    this.#dir = dir;
  }

  static async of(files: ProjectFiles): Promise<PackageProject> {
    const project = new PackageProject(await temporaryDir());
    project.write({ 'package.json': '{ "name": "user", "private": true }', ...files });
    return project;
  }

  path(name: string): string {
    return join(this.#dir.path, 'project', name);
  }

  write(files: ProjectFiles): void {
    for (const [name, contents] of Object.entries(files)) {
      mkdirSync(dirname(this.path(name)), { recursive: true });
      const link = typeof contents === 'string' ? /^-> (.*)$/.exec(contents)?.[1] : undefined;
      if (link !== undefined) symlinkSync(link, this.path(name));
      else writeFileSync(this.path(name), contents);
      if (name.includes('/bin/')) chmodSync(this.path(name), 0o755);
    }
  }

  remove(name: string): void {
    rmSync(this.path(name), { recursive: true });
  }

  /** Runs a module of the project, which has this package as `clipper`, and gives what it prints as JSON. */
  run(code: string, file = 'main.mjs'): unknown {
    this.write({ [file]: `import clipper from ${JSON.stringify(join(packageDir, 'dist/index.js'))};\n${code}` });
    return JSON.parse(execFileSync(process.execPath, [this.path(file)], { encoding: 'utf8' }));
  }

  /** Runs a module of the project that declares `fn`, and bundles that. */
  bundle(
    code: string,
    { file, ...options }: { outDir?: string; target?: object; packages?: unknown; file?: string } = {},
  ): Bundled {
    const settings = JSON.stringify({ outDir: join(this.#dir.path, `bundle-${this.#bundles++}`), ...options });
    const bundling = `const failed = ({ code, message, stack }) => ({ error: { code, message: message ?? stack } });
      console.log(JSON.stringify(await clipper.bundleClosure(fn, ${settings}).catch(failed)));`;
    return this.run(`${code}\n${bundling}`, file) as Bundled;
  }

  /** Calls the function of a bundle in a fresh process, with all that was installed here gone. */
  async call({ entry, error }: Bundled): Promise<unknown> {
    if (error !== undefined) throw new Error(error.message);
    this.remove('');
    const program = `import(process.argv[1]).then(async ({ default: fn }) => console.log(JSON.stringify(await fn())))`;
    return JSON.parse(execFileSync(process.execPath, ['-e', program, entry], { cwd: this.#dir.path, encoding: 'utf8' }));
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#dir[Symbol.asyncDispose]();
  }
}

/** The files of an installed package: its package.json and others, by their paths in its folder. */
export function installed(dir: string, json: object, files: ProjectFiles): ProjectFiles {
  const name = /(?:@[^/]+\/)?[^/]+$/.exec(dir)?.[0];
  const all = { 'package.json': JSON.stringify({ name, version: '1.0.0', ...json }), ...files };
  return Object.fromEntries(Object.entries(all).map(([path, contents]) => [`${dir}/${path}`, contents]));
}
