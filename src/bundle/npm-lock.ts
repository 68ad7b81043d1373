import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { ClipperError, messageOf } from '../errors.ts';

/** What a lock file records about a package, as far as it is read here. The rest is passed on to npm. */
export interface LockedPackage {
  readonly name?: string;
  readonly version?: string;
  readonly resolved?: string;
  /** Whether it is a link to the folder `resolved`, relative to the lock file. */
  readonly link?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly os?: string | readonly string[];
  readonly cpu?: string | readonly string[];
  readonly libc?: string | readonly string[];
}

/** The npm lock file of a project. */
export interface NpmLock {
  readonly dir: string;
  /** The project's key in the lock file: empty, or that of a workspace. */
  readonly importer: string;
  /** By their paths relative to `dir`. */
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

const foreignLocks = ['pnpm-lock.yaml', 'yarn.lock', 'bun.lock', 'bun.lockb'];

/**
 * Reads the lock file that a project is installed from. Returns undefined if there is none or another package manager's is in
 * use.
 */
export function readNpmLock(projectDir: string): NpmLock | undefined {
  for (let dir = projectDir; ; dir = dirname(dir)) {
    const file = ['npm-shrinkwrap.json', 'package-lock.json'].map((name) => join(dir, name)).find((each) => existsSync(each));
    if (file !== undefined) {
      const { packages } = parseLock(file);
      const importer = relative(dir, projectDir).split(sep).join('/');
      if (packages !== undefined && Object.hasOwn(packages, importer)) return { dir, importer, packages };
    }
    if (dir === dirname(dir) || foreignLocks.some((name) => existsSync(join(dir, name)))) return undefined;
  }
}

function parseLock(file: string): Partial<Pick<NpmLock, 'packages'>> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<NpmLock>;
  } catch (error) {
    const message = `The lock file ${file} can't be read: ${messageOf(error)}`;
    throw new ClipperError('E_BUNDLE_FAILED', message, { fix: 'run npm install, which writes it again', cause: error });
  }
}

/** Returns the place at which Node would find a package from another place. */
export function findLocked({ packages }: NpmLock, name: string, from: string): string | undefined {
  const parts = from === '' ? [] : from.split('/');
  for (let length = parts.length; length >= 0; length -= 1) {
    if (parts[length - 1] === 'node_modules') continue;
    const place = [...parts.slice(0, length), 'node_modules', name].join('/');
    const found = packages[place];
    if (found !== undefined) return found.link === true ? found.resolved : place;
  }
  return undefined;
}

/** Returns the names that a package depends on, without optional peers. */
export function neededNames({ dependencies = {}, optionalDependencies = {}, ...json }: LockedPackage): {
  readonly required: readonly string[];
  readonly optional: readonly string[];
} {
  const { peerDependencies = {}, peerDependenciesMeta = {} } = json;
  const peers = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
  // Registries also list optional dependencies among the regular ones.
  const required = Object.keys(dependencies).filter((name) => !Object.hasOwn(optionalDependencies, name));
  return { required: [...required, ...peers], optional: Object.keys(optionalDependencies) };
}

/** Returns the part of a lock file that these places need, for a project that contains nothing else. */
export function lockOf(lock: NpmLock, places: readonly string[]): Readonly<Record<string, LockedPackage>> {
  const required = reach(lock, places, false);
  const prefix = lock.importer === '' ? '' : `${lock.importer}/`;
  const entries = [...reach(lock, places, true)]
    .filter((place) => place.includes('node_modules/'))
    // A workspace's own version of a package replaces the shared one; npm resolves that again for the others.
    .sort((a, b) => Number(a.startsWith(prefix)) - Number(b.startsWith(prefix)) || (a < b ? -1 : 1))
    .map((place): [string, LockedPackage] => {
      const entry: Record<string, unknown> = { ...lock.packages[place] };
      for (const flag of ['dev', 'devOptional', 'optional', 'peer', 'extraneous']) delete entry[flag];
      if (!required.has(place)) entry.optional = true;
      return [place.startsWith(prefix) ? place.slice(prefix.length) : place, entry];
    });
  return Object.fromEntries(entries);
}

/** Returns these places and everything they depend on, directly or indirectly. */
function reach(lock: NpmLock, places: readonly string[], withOptional: boolean): ReadonlySet<string> {
  const reached = new Set(places);
  for (const place of reached) {
    const { required, optional } = neededNames(lock.packages[place] ?? {});
    for (const name of withOptional ? [...required, ...optional] : required) {
      const found = findLocked(lock, name, place);
      if (found !== undefined) reached.add(found);
    }
  }
  return reached;
}
