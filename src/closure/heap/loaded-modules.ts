import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { LoadedFile } from '../graph/closure.ts';
import type { HeapInspector } from './inspector.ts';
import type { Origins } from './origins.ts';
import { inPackage, installedRoot, moduleCache, packageRootOf } from './package-members.ts';

/** The folders of packages, by which of their modules a closure refers to. */
export interface PackageRoots {
  readonly common: ReadonlySet<string>;
  readonly modules: ReadonlySet<string>;
}

/** What a user's script loads for its side effects: folders of packages, and scripts of the user's own. */
interface Effects {
  readonly roots: readonly string[];
  readonly own: readonly string[];
}

/** By script id, in loading order: a module's imports come before it. */
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
   * The modules of packages that this process evaluated, in the order in which it loaded them. The CommonJS ones and the ES
   * modules of a package are copies of each other, of which the closure has one.
   */
  of({ common, modules }: PackageRoots): readonly LoadedFile[] {
    if (common.size + modules.size === 0) return [];
    const isOf = (roots: ReadonlySet<string>) => (file: string) =>
      /\.[cm]?js$/.test(file) && roots.has(packageRootOf(file) ?? '');
    const required = Object.keys(moduleCache()).filter(isOf(common));
    const imported = modules.size === 0 ? [] : [...this.#urls.keys()].filter(isOf(modules));
    return [
      ...required.map((file) => ({ file, isModule: false })),
      ...imported.filter((file) => !required.includes(file)).map((file) => ({ file, isModule: true })),
    ];
  }

  /** Whether any known ES module of a package was loaded. */
  hasModules(root: string): boolean {
    const prefix = `${pathToFileURL(root).href}/`;
    return [...this.#urls.values()].some((url) => url.startsWith(prefix));
  }

  /**
   * The exports of a loaded module; undefined for an ES module whose exports are not known yet, which are then added to `wanted`.
   */
  exportsOf(file: string, isModule: boolean): { readonly exports: unknown } | undefined {
    if (!isModule) return moduleCache()[file];
    const url = this.#urls.get(file);
    const namespace = url === undefined ? undefined : this.#origins.namespace(url);
    return namespace === undefined ? undefined : { exports: namespace };
  }

  /**
   * The packages that these scripts of the user, and the user's own modules that they import, load for their side effects:
   * the folders of those.
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

  /** The ES modules of packages that were loaded: their URLs by their files, in the order of loading. */
  get #urls(): ReadonlyMap<string, string> {
    this.#urlsByFile ??= new Map(
      [...this.#inspector.listed]
        .filter(({ isModule, url }) => isModule && url.startsWith('file:') && inPackage(url))
        .map(({ url }) => [fileURLToPath(url.replace(/[?#].*$/, '')), url]),
    );
    return this.#urlsByFile;
  }
}
