import { existsSync, realpathSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { types } from 'node:util';
import { runInThisContext } from 'node:vm';
import { LRUCache } from 'lru-cache';
import type { FunctionOrigin, Place } from '../graph/source-place.ts';
import { type ImportedName, type ModuleTable, readModuleTable } from '../syntax/module-table.ts';
import type { HeapInspector, Script } from './inspector.ts';
import {
  indexMembers,
  indexNamespace,
  inPackage,
  moduleCache,
  namespaceMembers,
  type PackageMember,
  packageMembers,
  readExport,
} from './package-members.ts';
import { ScriptMap } from './script-map.ts';
import { ScriptText } from './script-text.ts';

/** Who owns a script. Only the user's own code travels by value. */
export type Owner = 'user' | 'package' | 'node';

/** Namespaces of ES modules by URL. A namespace never changes, so one lookup is enough for the whole process. */
const namespaces = new Map<string, object | undefined>();

/** By script ID. */
const tables = new Map<string, ModuleTable>();
const texts = new LRUCache<string, ScriptText>({ max: 500 });
const maps = new Map<string, ScriptMap | undefined>();

/** How esbuild, Rolldown and webpack mark the modules of packages in their output. */
const bundlerComment = /^\s*(?:\/\/ |\/\/#region |\/\*\*\*\/ |!\*\*\* )?["']?\.?(?:[.\w-]*\/)*node_modules\/.*\.[cm]?js\b/m;

/** Under jest, packages are loaded in a separate realm, and importing one from here would load another copy. */
const isMainRealm = runInThisContext('globalThis') === (globalThis as object);

/** Knows which module a script, a function or an exported object belongs to. */
export class Origins {
  readonly #inspector: HeapInspector;
  readonly #exports = new Map<unknown, string>();
  #wantsAll = false;
  /** URLs of ES modules whose exports are needed and not yet known. */
  readonly wanted = new Set<string>();

  constructor(inspector: HeapInspector) {
    this.#inspector = inspector;
    for (const [file, module] of Object.entries(moduleCache())) {
      const exports = module?.exports;
      const isObject = typeof exports === 'function' || (typeof exports === 'object' && exports !== null);
      if (isObject && !this.#exports.has(exports)) this.#exports.set(exports, file);
      if (isObject && inPackage(file)) indexMembers(exports as object, file);
    }
  }

  /** Looks up the namespaces in `wanted` without evaluating any module again. */
  async learnNamespaces(): Promise<void> {
    const urls = [...this.wanted];
    this.wanted.clear();
    this.#wantsAll = false;
    for (const url of urls) {
      const namespace = (await import(url).catch(() => undefined)) as object | undefined;
      namespaces.set(url, namespace);
      if (namespace !== undefined && inPackage(url)) indexNamespace(namespace, fileURLToPath(url.replace(/[?#].*$/, '')));
    }
  }

  /**
   * Finds a package's function among the exports of all package modules. Modules that aren't known yet are added to `wanted`.
   */
  reExported(fn: Function): PackageMember | undefined {
    const found = this.#exportedMember(fn);
    if (found === undefined) this.#wantNamespaces();
    return found;
  }

  #wantNamespaces(): void {
    if (!isMainRealm || this.#wantsAll) return;
    this.#wantsAll = true;
    for (const { isModule, url } of this.#inspector.scripts) {
      if (isModule && url.startsWith('file:') && inPackage(url) && !namespaces.has(url)) this.wanted.add(url);
    }
  }

  /** Whether a function is Node's own, or has no script. */
  isOfNode(fn: Function): boolean {
    const { scriptId } = this.#inspector.facts(fn);
    return scriptId === undefined || this.owner(scriptId) === 'node';
  }

  isModule(scriptId: string): boolean {
    return this.#script(scriptId)?.isModule === true;
  }

  owner(scriptId: string): Owner {
    const url = this.#script(scriptId)?.url ?? '';
    if (url.startsWith('node:')) return 'node';
    return inPackage(url) ? 'package' : 'user';
  }

  /** Returns the file of a script, or undefined for code without one, such as the REPL's. */
  file(scriptId: string): string | undefined {
    const path = this.#script(scriptId)?.url.replace(/[?#].*$/, '') ?? '';
    if (path.startsWith('file:')) return fileURLToPath(path);
    return path.startsWith('/') || /^[A-Za-z]:\\/.test(path) ? path : undefined;
  }

  /** Returns the file of the CommonJS module with this `module.exports`. */
  exportsOf(value: unknown): string | undefined {
    return this.#exports.get(value);
  }

  /** Finds an object or symbol that a package's module exports, or the module's `module.exports` itself. */
  packageExports(value: unknown): PackageMember | undefined {
    const file = this.#exports.get(value);
    if (file !== undefined) return inPackage(file) ? { type: 'require', file, member: [] } : undefined;
    // A function that a package exports may have been passed in by the user.
    if (typeof value === 'function') return undefined;
    const found = this.#exportedMember(value);
    if (found === undefined && types.isModuleNamespaceObject(value)) this.#wantNamespaces();
    return found;
  }

  #exportedMember(value: unknown): PackageMember | undefined {
    const found = packageMembers.get(value);
    if (found === undefined) return namespaceMembers.get(value);
    // The module may have changed since it was indexed.
    let now: unknown = moduleCache()[found.file]?.exports;
    for (const key of found.member) now = Object.getOwnPropertyDescriptor(Object(now), key)?.value;
    return now === value ? found : undefined;
  }

  /** Returns the namespace of a loaded ES module. A namespace that isn't known yet is added to `wanted`. */
  namespace(url: string): object | undefined {
    if (!namespaces.has(url) && isMainRealm) this.wanted.add(url);
    return namespaces.get(url);
  }

  /** Returns the imports of a user's script. For a CommonJS script, only those for side effects. */
  imports(scriptId: string): Pick<ModuleTable, 'effects' | 'specifiers'> {
    if (this.isModule(scriptId)) return this.#table(scriptId);
    const statements = this.text(scriptId).source.matchAll(/^\s*require\((["'])(.+?)\1\);?\s*$/gm);
    return { effects: [...statements].map(([, , specifier = '']) => specifier), specifiers: [] };
  }

  /** Returns the loaded module of one of the user's own files. */
  userExports(file: string): { readonly exports: unknown } | undefined {
    return inPackage(file) ? undefined : moduleCache()[file];
  }

  /** Whether this is the namespace of a CommonJS module compiled from an ES module. Bundlers differ from Node on these. */
  isInterop(value: unknown): boolean {
    if (!types.isModuleNamespaceObject(value)) return false;
    const exports = readExport(value as object, 'default');
    return this.#exports.has(exports) && Object.hasOwn(exports as object, '__esModule');
  }

  /** Returns the exports of the loaded CommonJS module with this file, or of all whose files match. */
  loaded(file: RegExp | string): readonly unknown[] {
    const cache = moduleCache();
    if (typeof file === 'string') return [cache[file]?.exports];
    return Object.keys(cache).flatMap((each) => (file.test(each) ? [cache[each]?.exports] : []));
  }

  /** Returns the namespace of a loaded ES module of the user's own, by the specifier that another one uses. */
  userNamespace(scriptId: string, specifier: string): object | undefined {
    const url = this.#resolve(scriptId, specifier)?.url;
    if (url !== undefined && !namespaces.has(url)) this.wanted.add(url);
    return url === undefined ? undefined : namespaces.get(url);
  }

  url(scriptId: string): string | undefined {
    const file = this.file(scriptId);
    return file === undefined ? undefined : pathToFileURL(file).href;
  }

  /** Finds a package's function among the exports of the module that defines it. Undefined if that module doesn't export it. */
  packageFunction(fn: Function, scriptId: string): PackageMember | undefined {
    const file = this.file(scriptId);
    if (file === undefined) return undefined;
    const loaded = moduleCache()[file];
    if (loaded !== undefined) return memberOf(loaded.exports, fn, { type: 'require', file });
    const url = this.#script(scriptId)?.url ?? '';
    if (!namespaces.has(url) && this.#script(scriptId)?.isModule) this.wanted.add(url);
    return memberOf(namespaces.get(url), fn, { type: 'import', file });
  }

  /** Returns the place of a private top-level variable of a package's module. */
  inside(scriptId: string, name: string): PackageMember | undefined {
    const file = this.file(scriptId);
    if (file === undefined || this.owner(scriptId) !== 'package' || !this.text(scriptId).declares(name)) return undefined;
    return { type: 'inside', file, isModule: this.#script(scriptId)?.isModule === true, member: [name] };
  }

  /** Returns the import behind a name of an ES module, or undefined for the module's own names. */
  importOf(scriptId: string, name: string): ImportedName | undefined {
    return this.#script(scriptId)?.isModule === true ? this.#table(scriptId).imports.get(name) : undefined;
  }

  /** Whether a bare specifier resolves from a file to an installed package. */
  isPackage(specifier: string, from: string): boolean {
    if (/^[./#]|^file:/.test(specifier) || isBuiltin(specifier)) return false;
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
    for (let dir = dirname(from); ; dir = dirname(dir)) {
      const candidate = join(dir, 'node_modules', name);
      if (existsSync(candidate)) return inPackage(realpathSync(candidate));
      if (dir === dirname(dir)) return false;
    }
  }

  /** Returns the variable behind an import from the user's own ES module, so that importer and exporter share it. */
  variableBehind(scriptId: string, { specifier, imported }: ImportedName): { scriptId: string; name: string } | undefined {
    const target = this.#resolve(scriptId, specifier);
    return target === undefined || imported === '*' ? undefined : this.exportedVariable(target.id, imported);
  }

  /** Returns the variable behind an export of one of the user's ES modules. It may belong to another module. */
  exportedVariable(scriptId: string, exported: string): { scriptId: string; name: string } | undefined {
    const table = this.#table(scriptId);
    const again = table.reExports.get(exported) ?? table.imports.get(table.exports.get(exported) ?? '');
    if (again !== undefined) return this.variableBehind(scriptId, again);
    const name = table.exports.get(exported);
    if (name !== undefined) return { scriptId, name };
    for (const star of table.stars) {
      const found = this.variableBehind(scriptId, { specifier: star, imported: exported });
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Returns the script of one of the user's ES modules, by the specifier that another one uses. */
  moduleScript(scriptId: string, specifier: string): string | undefined {
    return this.#resolve(scriptId, specifier)?.id;
  }

  /** Finds where the text of a function came from, by the function's position in its script. */
  functionOrigin(scriptId: string, text: string, inside: Place): FunctionOrigin | undefined {
    const url = this.url(scriptId) ?? this.#replInput(scriptId);
    if (url === undefined) return undefined;
    const script = this.text(scriptId);
    const start = script.startOf(text, inside);
    if (start === undefined) return undefined;
    const map = this.#map(scriptId, url);
    return {
      original: (offset) => {
        const place = script.placeOf(start + offset);
        return map === undefined ? { ...place, source: url } : map.original(place);
      },
    };
  }

  /** Returns a URL for REPL input, by the name that stack traces show for it. No file has such a URL. */
  #replInput(scriptId: string): string | undefined {
    const { url = '' } = this.#script(scriptId) ?? {};
    return /^REPL\d+$/.test(url) ? `repl:${url}` : undefined;
  }

  /**
   * Returns the first file among these scripts that has packages bundled into it, judged by its source map or the bundler's
   * comments.
   */
  bundledProgram(scriptIds: readonly string[]): string | undefined {
    for (const scriptId of new Set(scriptIds)) {
      const [file, url] = [this.file(scriptId), this.url(scriptId)];
      if (file === undefined || url === undefined || inPackage(file)) continue;
      const isBundled = this.#map(scriptId, url)?.sources.some(inPackage) === true;
      if (isBundled || bundlerComment.test(this.text(scriptId).source)) return file;
    }
    return undefined;
  }

  #map(scriptId: string, url: string): ScriptMap | undefined {
    const { sourceMapUrl = '' } = this.#script(scriptId) ?? {};
    if (!maps.has(scriptId)) maps.set(scriptId, sourceMapUrl === '' ? undefined : ScriptMap.of(url, sourceMapUrl));
    return maps.get(scriptId);
  }

  /** Returns the source of a script as V8 compiled it. */
  text(scriptId: string): ScriptText {
    const known = texts.get(scriptId);
    if (known !== undefined) return known;
    const text = new ScriptText(this.#inspector.source(scriptId), this.#script(scriptId)?.isModule === true);
    texts.set(scriptId, text);
    return text;
  }

  #resolve(scriptId: string, specifier: string): Script | undefined {
    const from = this.file(scriptId);
    if (from === undefined || isBuiltin(specifier)) return undefined;
    const path = specifier.startsWith('.') ? join(dirname(from), specifier) : resolved(specifier, from);
    if (path === undefined) return undefined;
    const stem = path.replace(/\.[cm]?jsx?$/, '');
    const endings = ['.ts', '.tsx', '.mts', '.js', '.mjs', '/index.ts', '/index.js'];
    const candidates = new Set([path, ...endings.map((ending) => stem + ending)].map((each) => pathToFileURL(each).href));
    for (const script of this.#inspector.scripts) {
      if (script.isModule && candidates.has(script.url.replace(/[?#].*$/, ''))) return script;
    }
    return undefined;
  }

  #script(scriptId: string): Script | undefined {
    return this.#inspector.script(scriptId);
  }

  #table(scriptId: string): ModuleTable {
    const table = tables.get(scriptId) ?? readModuleTable(this.text(scriptId).source);
    tables.set(scriptId, table);
    return table;
  }
}

/** Resolves an alias (`#state`) or a linked package of the user's own. */
function resolved(specifier: string, from: string): string | undefined {
  try {
    return createRequire(from).resolve(specifier);
  } catch {
    return undefined;
  }
}

function memberOf(
  exports: unknown,
  value: unknown,
  where: { readonly type: 'require' | 'import'; readonly file: string },
): PackageMember | undefined {
  if (exports === value) return { ...where, member: [] };
  if ((typeof exports !== 'object' && typeof exports !== 'function') || exports === null) return undefined;
  for (const key of Object.keys(exports)) {
    try {
      if (Reflect.get(exports, key) === value) return { ...where, member: [key] };
    } catch {
      // A name that is still uninitialized isn't the one to find.
    }
  }
  return undefined;
}
