import { relative, resolve } from 'node:path';
import type { Message } from 'esbuild';
import { isComputedLoad, type PackageBuild } from './esbuild-packages.ts';
import type { Trace } from './kept-packages.ts';
import { variantsOf } from './native-binaries.ts';
import { type KeptPackages, packageDirOf, packageNameOf } from './package-dirs.ts';

/** A place where a package loads something that is known only at run time. */
interface Suspicion {
  readonly file: string;
  readonly line: number;
  readonly what: string;
  readonly fix: string;
}

const computed = {
  what: 'loads a module by a name that is computed when it runs, which may be missing in the replica',
  fix: 'if your function gets there, load that module in your own file and hand it to the package',
};

const unresolved = (text: string): Pick<Suspicion, 'what' | 'fix'> => ({
  what: `needs what is not installed here: ${text}`,
  fix: 'if your function gets there, install it and deploy again',
});

/** Collects, over all builds, what may fail in a replica because it couldn't be resolved. */
export class PackageWarnings {
  readonly #suspicions = new Map<string, Suspicion>();
  readonly #projectDir: string;

  constructor(projectDir: string) {
    this.#projectDir = projectDir;
  }

  collect({ warnings, errors }: PackageBuild): void {
    for (const each of warnings) if (isComputedLoad(each)) this.#add(each, computed);
    for (const each of errors) if (each.text.startsWith('Could not resolve')) this.#add(each, unresolved(each.text));
  }

  /** Returns one line per place. For a kept package, only places where the tracer couldn't resolve the load either. */
  lines(kept: KeptPackages, trace: Trace | undefined): readonly string[] {
    const lines: string[] = [];
    for (const { file, line, what, fix } of this.#suspicions.values()) {
      const dir = packageDirOf(file, this.#projectDir);
      if (dir === undefined || (kept.has(file) && !isUnresolved(file, dir, trace))) continue;
      lines.push(`${packageNameOf(dir)} (${relative(this.#projectDir, file)}:${line}) ${what}. Fix: ${fix}`);
    }
    return lines.sort();
  }

  #add({ location }: Message, why: Pick<Suspicion, 'what' | 'fix'>): void {
    if (location === null) return;
    const { file, line } = location;
    this.#suspicions.set(`${file}:${line}`, { file: resolve(this.#projectDir, file), line, ...why });
  }
}

/** A package with one variant per platform computes the variants' names, which are known. */
const isUnresolved = (file: string, dir: string, trace: Trace | undefined): boolean =>
  variantsOf(dir).length === 0 && trace?.warnings.some((warning) => warning.includes(`loaded from ${file}`)) === true;
