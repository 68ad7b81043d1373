import type { Names } from './names.ts';

/** A file of the bundle's own code. */
export interface EmittedFile {
  readonly name: string;
  readonly text: string;
}

export const entryName = 'closure.mjs';

/** How the emitted code is laid out as modules. */
export abstract class ModuleFormat {
  /** Whether code is sloppy by default. */
  abstract readonly isSloppy: boolean;
  protected readonly names: Names;
  protected readonly head: string[] = [];
  readonly #here: string;
  #usesHere = false;

  constructor(names: Names) {
    this.names = names;
    this.#here = names.fresh('bundleUrl');
  }

  /** The name of the variable that holds the module's URL. */
  get here(): string {
    this.#usesHere = true;
    return this.#here;
  }

  /** Binds a builtin module, or a CommonJS file of the bundle, to a name. */
  abstract import(local: string, specifier: string): void;

  /** Returns the files that contain this code and export the values of these expressions. */
  abstract files(body: readonly string[], exports: ReadonlyMap<string, string>): readonly EmittedFile[];

  protected hereStatement(url: string): readonly string[] {
    return this.#usesHere ? [`const ${this.#here} = ${url};`] : [];
  }
}

/** An ES module. All of its code is strict. */
export class EsModule extends ModuleFormat {
  readonly isSloppy = false;

  import(local: string, specifier: string): void {
    this.head.push(importStatement(this.names, local, specifier));
  }

  files(body: readonly string[], exports: ReadonlyMap<string, string>): readonly EmittedFile[] {
    const lines = [...exports].flatMap(([name, value]) => {
      if (name === 'default') return [`export default ${value};`];
      const local = this.names.fresh(name);
      return [`const ${local} = ${value};`, `export { ${local} as ${name} };`];
    });
    return [{ name: entryName, text: printLines([...this.head, ...this.hereStatement('import.meta.url'), ...body, ...lines]) }];
  }
}

/** A CommonJS module, in which functions may be sloppy, behind an entry that is still an ES module. */
export class SloppyModule extends ModuleFormat {
  readonly isSloppy = true;

  import(local: string, specifier: string): void {
    this.head.push(`const ${local} = require(${JSON.stringify(specifier)});`);
  }

  files(body: readonly string[], exports: ReadonlyMap<string, string>): readonly EmittedFile[] {
    const values = [...exports].map(([name, value]) => `${name}: ${value}`).join(', ');
    const head = [...this.head, ...this.hereStatement('require("node:url").pathToFileURL(__filename).href')];
    // Hide this file's CommonJS variables: in a captured function, these names refer to its own module.
    const open = 'module.exports = (function (require, module, exports, __filename, __dirname) {';
    const closure = this.names.fresh('closure');
    const entry = [
      importStatement(this.names, closure, './closure.cjs'),
      ...[...exports.keys()].map((name) =>
        name === 'default' ? `export default ${closure}.default;` : `export const ${name} = ${closure}.${name};`,
      ),
    ];
    return [
      { name: entryName, text: printLines(entry) },
      { name: 'closure.cjs', text: printLines([...head, open, ...body, `return { ${values} };`, '})();']) },
    ];
  }
}

/**
 * Loads files with `require`: their errors reach whoever imports the entry, and Node doesn't have to detect their export names.
 */
function importStatement(names: Names, local: string, specifier: string): string {
  if (specifier.startsWith('node:')) return `import ${local} from ${JSON.stringify(specifier)};`;
  const create = names.fresh('createRequire');
  return [
    `import { createRequire as ${create} } from "node:module";`,
    `const ${local} = ${create}(import.meta.url)(${JSON.stringify(specifier)});`,
  ].join('\n');
}

const printLines = (lines: readonly string[]): string => `${lines.join('\n')}\n`;
