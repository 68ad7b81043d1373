import { readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { isForTarget, lackingVariants } from './native-binaries.ts';
import { findLocked, type NpmLock, neededNames } from './npm-lock.ts';
import { findInstalled, type Installed, readPackageJson } from './package-dirs.ts';
import type { BundleTarget } from './target.ts';

/** Installed packages with all their dependencies. */
export interface InstalledTree {
  readonly dirs: readonly string[];
  /** The symbolic links that lead to some of them. */
  readonly links: readonly string[];
  /** Whether nothing is missing and every version matches the lock file. */
  readonly isWhole: boolean;
}

interface Where {
  readonly lock: NpmLock | undefined;
  readonly target: BundleTarget;
}

/** Collects the dependencies of installed packages, resolved as Node would. */
export function installedTree(tops: readonly Installed[], { lock, target }: Where): InstalledTree {
  const dirs = new Set(tops.map(({ dir }) => dir));
  const links = new Set(tops.flatMap(({ link }) => link ?? []));
  let isWhole = true;
  for (const dir of dirs) {
    const json = readPackageJson(dir);
    const { required, optional } = neededNames(json);
    const place = lock === undefined ? '' : relative(lock.dir, dir).split(sep).join('/');
    const locked = lock?.packages[place];
    if (locked?.version !== undefined && locked.version !== json.version) isWhole = false;
    const isWanted = (name: string): boolean => {
      const entry = lock === undefined ? undefined : lock.packages[findLocked(lock, name, place) ?? ''];
      return entry !== undefined && isForTarget(entry, target);
    };
    if (lackingVariants(dir, target).length > 0) isWhole = false;
    for (const name of [...required, ...optional]) {
      const found = findInstalled(name, dir);
      // A missing optional package is fine if it isn't for this platform. Without a lock file, this is assumed.
      if (found === undefined) isWhole &&= optional.includes(name) && !isWanted(name);
      else {
        dirs.add(found.dir);
        if (found.link !== undefined) links.add(found.link);
      }
    }
  }
  return { dirs: [...dirs], links: [...links], isWhole };
}

/** Returns all files of a package, without the packages installed inside it. */
export function packageFiles(dir: string): readonly string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
    entry.name === 'node_modules' ? [] : filesAt(join(dir, entry.name), entry),
  );
}

function filesAt(path: string, entry: { isDirectory(): boolean; isFile(): boolean }): readonly string[] {
  if (!entry.isDirectory()) return entry.isFile() ? [path] : [];
  return readdirSync(path, { withFileTypes: true }).flatMap((each) => filesAt(join(path, each.name), each));
}

/** Returns the folders of the packages in a `node_modules` that npm created, including nested ones. */
export function packagesIn(nodeModules: string): readonly string[] {
  const dirs = childrenOf(nodeModules).flatMap((dir) => (/[\\/]@[^\\/]+$/.test(dir) ? childrenOf(dir) : [dir]));
  return dirs.flatMap((dir) => [dir, ...packagesIn(join(dir, 'node_modules'))]);
}

const childrenOf = (dir: string): readonly string[] => {
  try {
    const entries = readdirSync(dir, { withFileTypes: true });
    return entries.filter((each) => each.isDirectory() && !each.name.startsWith('.')).map(({ name }) => join(dir, name));
  } catch {
    return [];
  }
};
