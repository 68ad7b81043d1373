import { existsSync, lstatSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { findProjectDir } from '../util/package-files.ts';

/** The fields of a package.json that are read here. */
export interface PackageJson {
  readonly name?: string;
  readonly version?: string;
  readonly license?: unknown;
  readonly licenses?: unknown;
  readonly os?: string | readonly string[];
  readonly cpu?: string | readonly string[];
  readonly libc?: string | readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

const inNodeModules = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/;

/** Returns the folder of the package that contains a file, or undefined for files of the user's own project. */
export function packageDirOf(file: string, projectDir: string): string | undefined {
  const installed = inNodeModules.exec(file)?.[1];
  if (installed !== undefined) return installed;
  // A workspace package is installed as a link. Its real files are next to the project.
  const dir = findProjectDir(dirname(file));
  return existsSync(join(dir, 'package.json')) && !`${projectDir}${sep}`.startsWith(`${dir}${sep}`) ? dir : undefined;
}

/** The packages that are kept as files, by folder. */
export class KeptPackages {
  readonly #dirs = new Set<string>();
  readonly #projectDir: string;

  constructor(projectDir: string) {
    this.#projectDir = projectDir;
  }

  get size(): number {
    return this.#dirs.size;
  }

  /** Whether a file belongs to a kept package. */
  has(file: string): boolean {
    const dir = packageDirOf(file, this.#projectDir);
    return dir !== undefined && this.#dirs.has(dir);
  }

  /** Adds the packages of these files. Returns whether any of them was new. */
  addOf(files: Iterable<string>): boolean {
    const { size } = this;
    for (const file of files) {
      const dir = packageDirOf(file, this.#projectDir);
      if (dir !== undefined) this.#dirs.add(dir);
    }
    return this.size > size;
  }
}

export function readPackageJson(dir: string): PackageJson {
  const file = join(dir, 'package.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as PackageJson) : {};
}

export const packageNameOf = (dir: string): string =>
  readPackageJson(dir).name ?? /(?:@[^\\/]+[\\/])?[^\\/]+$/.exec(dir)?.[0] ?? dir;

/** An installed package as Node finds it from another package's folder. */
export interface Installed {
  /** The real path. */
  readonly dir: string;
  /** The symbolic link that leads there, if any. */
  readonly link: string | undefined;
}

export function findInstalled(name: string, from: string): Installed | undefined {
  for (let dir = from; ; dir = dirname(dir)) {
    const place = join(dir, 'node_modules', name);
    if (existsSync(place)) return { dir: realpathSync(place), link: lstatSync(place).isSymbolicLink() ? place : undefined };
    if (dir === dirname(dir)) return undefined;
  }
}

/**
 * Maps files to their places in a bundle, so that Node resolves there as it does here. Files keep their places relative to
 * their common folder. Whatever isn't in that folder's node_modules goes into a folder inside it.
 */
export function layoutOf(files: readonly string[], projectDir: string): (file: string) => string {
  const roots = files.map((file) => {
    const end = file.indexOf(`${sep}node_modules${sep}`);
    return end === -1 ? dirname(packageDirOf(file, projectDir) ?? dirname(file)) : file.slice(0, end);
  });
  const base = roots.reduce(commonDir, roots[0] ?? projectDir);
  return (file) => {
    const path = relative(base, file).split(sep).join('/');
    return path.startsWith('node_modules/') ? path : `node_modules/.outside/${path}`;
  };
}

function commonDir(one: string, other: string): string {
  const [parts, others] = [one.split(sep), other.split(sep)];
  const end = parts.findIndex((part, index) => part !== others[index]);
  return (end === -1 ? parts : parts.slice(0, end)).join(sep) || sep;
}
