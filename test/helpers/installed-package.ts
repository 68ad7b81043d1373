import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { packageDir } from '../../src/util/package-files.ts';
import { temporaryDir } from './temporary-dir.ts';

/** Some user's project that npm installed this package in, as it would be published. */
export class InstalledPackage implements AsyncDisposable {
  readonly #dir: Awaited<ReturnType<typeof temporaryDir>>;

  constructor(dir: Awaited<ReturnType<typeof temporaryDir>>) {
    this.#dir = dir;
  }

  /** `others`: packages to install beside it, as npm takes them; `linked`: those of ours that it has too. */
  static async of({ others = [], linked = [] }: { others?: readonly string[]; linked?: readonly string[] } = {}) {
    const project = new InstalledPackage(await temporaryDir());
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', project.path];
    const [packed] = JSON.parse(execFileSync('npm', pack, { cwd: packageDir, encoding: 'utf8' })) as [{ filename: string }];
    project.write({ 'package.json': JSON.stringify({ name: 'user', version: '1.0.0', private: true }) });
    const flags = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const packages = [join(project.path, packed.filename), ...others];
    execFileSync('npm', ['install', ...flags, ...packages], { cwd: project.path, stdio: 'pipe' });
    for (const name of linked) {
      symlinkSync(join(packageDir, 'node_modules', name), join(project.path, 'node_modules', name));
    }
    return project;
  }

  get path(): string {
    return this.#dir.path;
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.path, name)), { recursive: true });
      writeFileSync(join(this.path, name), text);
    }
  }

  /** What a program of Node prints. Throws with what it says where it fails. */
  node(args: readonly string[]): string {
    return execFileSync(process.execPath, args, { cwd: this.path, encoding: 'utf8', stdio: 'pipe' });
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#dir[Symbol.asyncDispose]();
  }
}
