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

/** Whose code a script is: only the user's own travels by value. */
export type Owner = 'user' | 'package' | 'node';

/** ES modules of packages, by URL. A namespace never changes, so one look is enough for the process. */
const namespaces = new Map<string, object | undefined>();

/** By script id. */
const tables = new Map<string, ModuleTable>();
const texts = new LRUCache<string, ScriptText>({ max: 500 });
const maps = new Map<string, ScriptMap | undefined>();

/** How esbuild, Rolldown and webpack name the modules of packages in their output. */
const bundlerComment = /^\s*(?:\/\/ |\/\/#region |\/\*\*\*\/ |!\*\*\* )?["']?\.?(?:[.\w-]*\/)*node_modules\/.*\.[cm]?js\b/m;

/** Under jest, code of packages is loaded once more, and to import it here would load it anew. */
const isMainRealm = runInThisContext('globalThis') === (globalThis as object);

/** Knows which module of the process a script, a function or an exported object belongs to. */
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

  /** Looks up the namespaces in `wanted`, without evaluating any module again. */
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

  /** A package's function as an export of any package module; modules that are not known yet are added to `wanted`. */
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

  /** Whether a function is Node's own, or has no text. */
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

  /** The file of a script; undefined for code that has none, such as the REPL's. */
  file(scriptId: string): string | undefined {
    const path = this.#script(scriptId)?.url.replace(/[?#].*$/, '') ?? '';
    if (path.startsWith('file:')) return fileURLToPath(path);
    return path.startsWith('/') || /^[A-Za-z]:\\/.test(path) ? path : undefined;
  }

  /** The file of the CommonJS module whose `module.exports` this is. */
  exportsOf(value: unknown): string | undefined {
    return this.#exports.get(value);
  }

  /** An object or symbol that a module of a package exports, or the `module.exports` of one. */
  packageExports(value: unknown): PackageMember | undefined {
    const file = this.#exports.get(value);
    if (file !== undefined) return inPackage(file) ? { type: 'require', file, member: [] } : undefined;
    // A function that a package exports may be one that the user gave it.
    if (typeof value === 'function') return undefined;
    const found = this.#exportedMember(value);
    if (found === undefined && types.isModuleNamespaceObject(value)) this.#wantNamespaces();
    return found;
  }

  #exportedMember(value: unknown): PackageMember | undefined {
    const found = packageMembers.get(value);
    if (found === undefined) return namespaceMembers.get(value);
    // The module may have been changed since it was indexed.
    let now: unknown = moduleCache()[found.file]?.exports;
    for (const key of found.member) now = Object.getOwnPropertyDescriptor(Object(now), key)?.value;
    return now === value ? found : undefined;
  }

  /** The namespace of a loaded ES module; one that is not known yet is added to `wanted`. */
  namespace(url: string): object | undefined {
    if (!namespaces.has(url) && isMainRealm) this.wanted.add(url);
    return namespaces.get(url);
  }

  /** The imports of a user's script; of a CommonJS one, only those for side effects. */
  imports(scriptId: string): Pick<ModuleTable, 'effects' | 'specifiers'> {
    if (this.isModule(scriptId)) return this.#table(scriptId);
    const statements = this.text(scriptId).source.matchAll(/^\s*require\((["'])(.+?)\1\);?\s*$/gm);
    return { effects: [...statements].map(([, , specifier = '']) => specifier), specifiers: [] };
  }

  /** `module.exports` of a loaded file of the user's own. */
  userExports(file: string): { readonly exports: unknown } | undefined {
    return inPackage(file) ? undefined : moduleCache()[file];
  }

  /** Whether this is the namespace of a CommonJS module that says it was an ES module, where bundlers differ from Node. */
  isInterop(value: unknown): boolean {
    if (!types.isModuleNamespaceObject(value)) return false;
    const exports = readExport(value as object, 'default');
    return this.#exports.has(exports) && Object.hasOwn(exports as object, '__esModule');
  }

  /** The exports of the loaded CommonJS modules with this file, or with one that matches. */
  loaded(file: RegExp | string): readonly unknown[] {
    const cache = moduleCache();
    if (typeof file === 'string') return [cache[file]?.exports];
    return Object.keys(cache).flatMap((each) => (file.test(each) ? [cache[each]?.exports] : []));
  }

  /** The namespace of a loaded ES module of the user's own, as another one's relative specifier names it. */
  userNamespace(scriptId: string, specifier: string): object | undefined {
    const url = this.#resolve(scriptId, specifier)?.url;
    if (url !== undefined && !namespaces.has(url)) this.wanted.add(url);
    return url === undefined ? undefined : namespaces.get(url);
  }

  url(scriptId: string): string | undefined {
    const file = this.file(scriptId);
    return file === undefined ? undefined : pathToFileURL(file).href;
  }

  /** A package's function as a member of the module that defines it; undefined if that doesn't export it. */
  packageFunction(fn: Function, scriptId: string): PackageMember | undefined {
    const file = this.file(scriptId);
    if (file === undefined) return undefined;
    const loaded = moduleCache()[file];
    if (loaded !== undefined) return memberOf(loaded.exports, fn, { type: 'require', file });
    const url = this.#script(scriptId)?.url ?? '';
    if (!namespaces.has(url) && this.#script(scriptId)?.isModule) this.wanted.add(url);
    return memberOf(namespaces.get(url), fn, { type: 'import', file });
  }

  /** A top-level variable of a package's module, which the module keeps to itself. */
  inside(scriptId: string, name: string): PackageMember | undefined {
    const file = this.file(scriptId);
    if (file === undefined || this.owner(scriptId) !== 'package' || !this.text(scriptId).declares(name)) return undefined;
    return { type: 'inside', file, isModule: this.#script(scriptId)?.isModule === true, member: [name] };
  }

  /** The import behind a name of an ES module; undefined for its own names. */
  importOf(scriptId: string, name: string): ImportedName | undefined {
    return this.#script(scriptId)?.isModule === true ? this.#table(scriptId).imports.get(name) : undefined;
  }

  /** Whether a bare specifier, seen from a file, leads into an installed package. */
  isPackage(specifier: string, from: string): boolean {
    if (/^[./#]|^file:/.test(specifier) || isBuiltin(specifier)) return false;
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
    for (let dir = dirname(from); ; dir = dirname(dir)) {
      const candidate = join(dir, 'node_modules', name);
      if (existsSync(candidate)) return inPackage(realpathSync(candidate));
      if (dir === dirname(dir)) return false;
    }
  }

  /** The variable behind an import of the user's own ES module, so that importer and exporter share it. */
  variableBehind(scriptId: string, { specifier, imported }: ImportedName): { scriptId: string; name: string } | undefined {
    const target = this.#resolve(scriptId, specifier);
    return target === undefined || imported === '*' ? undefined : this.exportedVariable(target.id, imported);
  }

  /** The variable behind an export of one of the user's ES modules, which may be another module's. */
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

  /** The script of one of the user's ES modules, as another one's specifier names it. */
  moduleScript(scriptId: string, specifier: string): string | undefined {
    return this.#resolve(scriptId, specifier)?.id;
  }

  /** Finds the origin of the text of a function with a place in a script. */
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

  /** REPL input, by the name that stacks show for it, as a URL that no file has. */
  #replInput(scriptId: string): string | undefined {
    const { url = '' } = this.#script(scriptId) ?? {};
    return /^REPL\d+$/.test(url) ? `repl:${url}` : undefined;
  }

  /** The first file of these scripts into which a bundler put packages, by its source map or the comments that it left. */
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

  /** The source of a script, as V8 compiled it. */
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

/** The file behind an alias (`#state`) or a linked package of the user's own. */
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
      // A name that is still uninitialised is not the one we look for.
    }
  }
  return undefined;
}
