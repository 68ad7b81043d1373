import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import { types } from 'node:util';
import { packageDir } from '../../util/package-files.ts';

/** A value as something that a package's module exports. */
export type PackageMember =
  | { readonly type: 'require'; readonly file: string; readonly member: readonly string[] }
  | { readonly type: 'import'; readonly file: string; readonly member: readonly string[] }
  | { readonly type: 'inside'; readonly file: string; readonly isModule: boolean; readonly member: readonly string[] };

type ModuleCache = Readonly<Record<string, { exports: unknown } | undefined>>;

/** The CommonJS modules of the process. Under jest, both `require` and its cache are jest's. */
export const moduleCache = (): ModuleCache =>
  (typeof require === 'function' ? require : createRequire(join(packageDir, 'package.json'))).cache as ModuleCache;

export const inPackage = (path: string): boolean => /[\\/]node_modules[\\/]/.test(path);

/** Returns the folder of the package that contains a file, or undefined if no package does. */
export const packageRootOf = (file: string): string | undefined =>
  /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(file)?.[0];

/** Returns the name of the package that contains a file. */
export const packageNameOf = (file: string): string =>
  packageRootOf(file)
    ?.split(/[\\/]node_modules[\\/]/)
    .at(-1) ?? file;

/** Returns the installed folder of the package that an import resolves to. */
export function installedRoot({ specifier, from }: { specifier: string; from: string }): string | undefined {
  if (isAbsolute(specifier)) return packageRootOf(specifier);
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  for (let dir = from; ; dir = dirname(dir)) {
    const candidate = join(dir, 'node_modules', name);
    if (existsSync(candidate)) return realpathSync(candidate);
    if (dir === dirname(dir)) return undefined;
  }
}

/** Exported objects and symbols of packages. Functions are found by their position in a script. */
export const packageMembers = new Map<unknown, PackageMember>();

const indexed = new WeakSet<object>();

export function indexMembers(exports: object, file: string): void {
  if (indexed.has(exports) || types.isProxy(exports)) return;
  indexed.add(exports);
  for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(exports))) {
    noteMember(packageMembers, value, { type: 'require', file, member: [key] });
  }
}

/** Notes a member of a module. For a plain object, also notes the class instances that it holds. */
function noteMember(members: Map<unknown, PackageMember>, value: unknown, found: PackageMember): void {
  const isObject = typeof value === 'object' && value !== null && !types.isProxy(value);
  if ((isObject || typeof value === 'function' || typeof value === 'symbol') && !members.has(value)) members.set(value, found);
  if (!isObject || found.member.length > 1 || !isPlainObject(value)) return;
  for (const [key, { value: inner }] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
    const isInstance =
      typeof inner === 'object' && inner !== null && !types.isProxy(inner) && !isPlainObject(inner) && !Array.isArray(inner);
    if (isInstance) noteMember(members, inner, { ...found, member: [...found.member, key] });
  }
}

const isPlainObject = (value: object): boolean => {
  const prototype = Reflect.getPrototypeOf(value);
  return prototype === null || Reflect.getPrototypeOf(prototype) === null;
};

/** Functions, objects and symbols that packages' ES modules export. */
export const namespaceMembers = new Map<unknown, PackageMember>();

export function indexNamespace(namespace: object, file: string): void {
  for (const key of Object.keys(namespace)) {
    noteMember(namespaceMembers, readExport(namespace, key), { type: 'import', file, member: [key] });
  }
  namespaceMembers.set(namespace, { type: 'import', file, member: [] });
}

/** Returns undefined for an export that is still uninitialized. */
export function readExport(namespace: object, key: string): unknown {
  try {
    return Reflect.get(namespace, key);
  } catch {
    return undefined;
  }
}
