import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { getOrInsert } from '../../util/get-or-insert.ts';
import type { LoadedFile } from '../graph/closure.ts';
import type { HeapInspector } from './inspector.ts';
import type { Origins } from './origins.ts';
import { inPackage, installedRoot, moduleCache, packageRootOf } from './package-members.ts';

/** Package folders, by the module system of the modules that a closure refers to. */
export interface PackageRoots {
  readonly common: ReadonlySet<string>;
  readonly modules: ReadonlySet<string>;
}

/** What a user's script loads for its side effects: package folders, and the user's own scripts. */
interface Effects {
  readonly roots: readonly string[];
  readonly own: readonly string[];
}

/** Maps a script ID to what the script loads for its side effects. Cached for the process. */
const effects = new Map<string, Effects>();

/** Knows which modules of packages the process evaluated. */
export class LoadedModules {
  readonly #inspector: HeapInspector;
  readonly #origins: Origins;
  #urlsByFile: ReadonlyMap<string, string> | undefined;

  constructor(inspector: HeapInspector, origins: Origins) {
    this.#inspector = inspector;
    this.#origins = origins;
  }

  /**
   * Returns the modules of packages that this process evaluated, in load order. A package's CommonJS and ES modules are copies
   * of each other; the closure uses one of them.
   */
  of({ common, modules }: PackageRoots): readonly LoadedFile[] {
    if (common.size + modules.size === 0) return [];
    const isOf = (roots: ReadonlySet<string>) => (file: string) =>
      /\.[cm]?js$/.test(file) && roots.has(packageRootOf(file) ?? '');
    const required = this.#asEvaluated(Object.keys(moduleCache()).filter(isOf(common)));
    const imported = modules.size === 0 ? [] : [...this.#urls.keys()].filter(isOf(modules));
    return [
      ...required.map((file) => ({ file, isModule: false })),
      ...imported.filter((file) => !required.includes(file)).map((file) => ({ file, isModule: true })),
    ];
  }

  /**
   * CommonJS modules in the order of their evaluation. The cache has those that ES modules import in the order in which their
   * files were read, which differs from run to run: Node 20 and 22 compile them then, to find their exports, and once more to
   * evaluate them. The last scripts of those that were compiled twice tell their order.
   */
  #asEvaluated(files: readonly string[]): readonly string[] {
    const fileOf = new Map(files.flatMap((file) => [[file, file] as const, [pathToFileURL(file).href, file] as const]));
    const compiled = new Map<string, number[]>();
    for (const { id, url } of this.#inspector.listed) {
      const file = fileOf.get(url);
      if (file !== undefined) getOrInsert(compiled, file, () => []).push(Number(id));
    }
    const lastOf = (file: string): number => Math.max(...(compiled.get(file) ?? []));
    const isTwice = (file: string): boolean => (compiled.get(file)?.length ?? 0) > 1;
    const sorted = files.filter(isTwice).sort((a, b) => lastOf(a) - lastOf(b));
    return files.map((file) => (isTwice(file) ? (sorted.shift() ?? file) : file));
  }

  /** Whether any known ES module of a package was loaded. */
  hasModules(root: string): boolean {
    const prefix = `${pathToFileURL(root).href}/`;
    return [...this.#urls.values()].some((url) => url.startsWith(prefix));
  }

  /**
   * Returns the exports of a loaded module, or undefined for an ES module whose exports aren't known yet. Such a module is
   * added to `wanted`.
   */
  exportsOf(file: string, isModule: boolean): { readonly exports: unknown } | undefined {
    if (!isModule) return moduleCache()[file];
    const url = this.#urls.get(file);
    const namespace = url === undefined ? undefined : this.#origins.namespace(url);
    return namespace === undefined ? undefined : { exports: namespace };
  }

  /**
   * Returns the folders of the packages that these scripts load for their side effects, directly or through the user's own
   * modules that they import.
   */
  forEffect(scriptIds: Iterable<string>): ReadonlySet<string> {
    const all = new Set<string>();
    const seen = new Set(scriptIds);
    for (const scriptId of seen) {
      const { roots, own } = effects.get(scriptId) ?? this.#effectsOf(scriptId);
      effects.set(scriptId, { roots, own });
      for (const root of roots) all.add(root);
      for (const each of own) seen.add(each);
    }
    return all;
  }

  #effectsOf(scriptId: string): Effects {
    const origins = this.#origins;
    const from = origins.owner(scriptId) === 'user' ? origins.file(scriptId) : undefined;
    if (from === undefined) return { roots: [], own: [] };
    const table = origins.imports(scriptId);
    const bare = table.effects.filter((each) => origins.isPackage(each, from));
    const roots = bare.map((specifier) => installedRoot({ specifier, from: dirname(from) }));
    const own = table.specifiers.map((specifier) => origins.moduleScript(scriptId, specifier));
    const isThere = <T>(value: T | undefined): value is T => value !== undefined;
    return { roots: roots.filter(isThere), own: own.filter(isThere) };
  }

  /** Loaded ES modules of packages: URL by file, in load order. */
  get #urls(): ReadonlyMap<string, string> {
    this.#urlsByFile ??= new Map(
      [...this.#inspector.listed]
        .filter(({ isModule, url }) => isModule && url.startsWith('file:') && inPackage(url))
        .map(({ url }) => [fileURLToPath(url.replace(/[?#].*$/, '')), url]),
    );
    return this.#urlsByFile;
  }
}
