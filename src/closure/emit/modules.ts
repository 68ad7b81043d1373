import type { ModuleNode, ModuleSource } from '../graph/nodes.ts';
import type { ModuleFormat } from './format.ts';
import type { Names } from './names.ts';

const printStep = (key: string): string =>
  key.startsWith('@@') ? `[Symbol.for(${JSON.stringify(key.slice(2))})]` : `[${JSON.stringify(key)}]`;

/** A member of a package that the entry uses: its export name in modules.cjs, and its source. */
export interface PackageImport {
  readonly name: string;
  readonly source: Exclude<ModuleSource, { type: 'builtin' }>;
  readonly member: readonly string[];
}

/** Collects the emitted module's imports of builtins and packages. */
export class ModuleImports {
  readonly packages: PackageImport[] = [];
  readonly #names: Names;
  readonly #builtins = new Map<string, string>();
  readonly #packageNames = new Map<ModuleNode, string>();

  readonly #isEvaluated: boolean;

  /** `isEvaluated`: whether packages are evaluated even if the entry uses nothing from them. */
  constructor(names: Names, isEvaluated: boolean) {
    this.#names = names;
    this.#isEvaluated = isEvaluated;
  }

  reference(node: ModuleNode): string {
    const { source, member } = node;
    if (source.type === 'builtin') return this.#builtin(source.name) + member.map(printStep).join('');
    const known = this.#packageNames.get(node);
    if (known !== undefined) return known;
    const name = this.#names.fresh(member.at(-1) ?? 'module');
    this.#packageNames.set(node, name);
    this.packages.push({ name, source, member });
    return name;
  }

  statements(format: ModuleFormat): string[] {
    for (const [module, name] of this.#builtins) format.import(name, module);
    if (this.packages.length === 0 && !this.#isEvaluated) return [];
    const all = this.#names.fresh('packages');
    const names = this.packages.map(({ name }) => name).join(', ');
    format.import(all, './modules.cjs');
    return [`const { ${names} } = ${all};`];
  }

  #builtin(module: string): string {
    const name = this.#builtins.get(module) ?? this.#names.fresh(module.replace(/^node:/, '').replace(/\W/g, '_'));
    this.#builtins.set(module, name);
    return name;
  }
}
