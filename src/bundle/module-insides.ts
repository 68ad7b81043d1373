import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Plugin } from 'esbuild';
import type { PackageImport } from '../closure/emit-modules.ts';

/** A module whose top-level variables are wanted, which it keeps to itself. */
interface Inside {
  readonly isModule: boolean;
  readonly names: Set<string>;
}

/** The modules whose insides are wanted, by file. */
function insidesByFile(packages: readonly PackageImport[]): ReadonlyMap<string, Inside> {
  const insides = new Map<string, Inside>();
  for (const { source, member } of packages) {
    if (source.type !== 'inside') continue;
    const { names } = insides.get(source.file) ?? { names: new Set<string>() };
    insides.set(source.file, { isModule: source.isModule, names: names.add(member[0] ?? '') });
  }
  return insides;
}

/** The statement that lets some variables of a module out, to stand at its end. */
function letOut(file: string, { isModule, names }: Inside, target: string): string {
  const getters = [...names].map((name) => `get ${name}() { return ${name}; }`);
  return `\n;${isModule ? `export const ${insideVariable(file)}` : target} = { ${getters.join(', ')} };`;
}

/** The name under which an ES module lets its variables out; modules that export each other's names must differ in it. */
export const insideVariable = (file: string): string =>
  `__clipperInside${createHash('sha256').update(file).digest('hex').slice(0, 12)}`;

/** Lets variables of bundled modules out. */
export const insidesOf = (packages: readonly PackageImport[]): Plugin => ({
  name: 'captured-insides',
  setup({ onLoad }) {
    for (const [file, inside] of insidesByFile(packages)) {
      const statement = letOut(file, inside, `__clipperInsides[${JSON.stringify(file)}]`);
      onLoad({ filter: exactly(file) }, async () => {
        const contents = `${await readFile(file, 'utf8')}${statement}`;
        return { contents, loader: 'default', resolveDir: dirname(file) };
      });
    }
  },
});

/** What to add to files of kept packages, so that those let variables out: as `module.__clipperInside` of CommonJS ones. */
export function keptInsidesOf(packages: readonly PackageImport[]): ReadonlyMap<string, string> {
  const entries = [...insidesByFile(packages)];
  return new Map(entries.map(([file, inside]) => [file, letOut(file, inside, 'module.__clipperInside')]));
}

const exactly = (path: string): RegExp => new RegExp(`^${path.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`);
