import { join } from 'node:path';
import satisfies from 'semver/functions/satisfies.js';
import { ClipperError } from '../errors.ts';
import { installedTree, packageFiles, packagesIn } from './installed-packages.ts';
import { installOnce } from './npm-install.ts';
import { findLocked, type LockedPackage, lockOf, type NpmLock, readNpmLock } from './npm-lock.ts';
import { findInstalled, type Installed, packageNameOf, readPackageJson } from './package-dirs.ts';
import type { WantedPackage } from './packages-option.ts';
import { type BundleTarget, isThisProcess } from './target.ts';

/** Packages that go into a bundle in addition to those that its closure is known to use. */
export interface AddedPackages {
  /** The folder that npm installed them in. Undefined if they are used as installed in the project. */
  readonly fetchedTo: string | undefined;
  /** All their files, those of their dependencies, and symbolic links. */
  readonly files: readonly string[];
  readonly dirs: readonly string[];
  /** The folders of the requested packages, by name. */
  readonly tops: Readonly<Record<string, string>>;
}

interface Where {
  readonly projectDir: string;
  readonly target: BundleTarget;
}

/** A requested package, with the version that the project has. */
interface Choice extends WantedPackage {
  readonly installed: (Installed & { readonly version: string | undefined }) | undefined;
  /** Its place in the lock file, if the version there is the requested one. */
  readonly place: string | undefined;
  readonly locked: LockedPackage | undefined;
}

/**
 * Finds packages in the user's project. Installs them with npm if they aren't all there or are needed for another platform.
 * Throws E_BUNDLE_FAILED, or the signal's reason.
 */
export async function addPackages(
  wanted: readonly WantedPackage[],
  where: Where,
  signal?: AbortSignal,
): Promise<AddedPackages | undefined> {
  if (wanted.length === 0) return undefined;
  const lock = readNpmLock(where.projectDir);
  const choices = wanted.map((each) => choose(each, where.projectDir, lock));
  const own = isThisProcess(where.target) ? fromProject(choices, where, lock) : undefined;
  return own ?? fetch(choices, where, lock, signal);
}

function choose({ name, range }: WantedPackage, projectDir: string, lock: NpmLock | undefined): Choice {
  const found = findInstalled(name, projectDir);
  const installed = found === undefined ? undefined : { ...found, version: readPackageJson(found.dir).version };
  const place = lock === undefined ? undefined : findLocked(lock, name, lock.importer);
  const locked = place === undefined ? undefined : lock?.packages[place];
  const isLocked = range === undefined || (locked?.version !== undefined && satisfies(locked.version, range));
  return { name, range, installed, ...(isLocked ? { place, locked } : { place: undefined, locked: undefined }) };
}

/** Whether the installed version is the requested one. */
const isInstalled = ({ installed, locked, range }: Choice): boolean => {
  if (installed === undefined) return false;
  if (locked !== undefined) return locked.version === installed.version;
  return range === undefined || (installed.version !== undefined && satisfies(installed.version, range));
};

function fromProject(choices: readonly Choice[], { target }: Where, lock: NpmLock | undefined): AddedPackages | undefined {
  if (!choices.every(isInstalled)) return undefined;
  const found = choices.flatMap(({ installed }) => installed ?? []);
  const { dirs, links, isWhole } = installedTree(found, { lock, target });
  if (!isWhole) return undefined;
  const tops = Object.fromEntries(choices.map(({ name, installed }) => [name, installed?.dir ?? '']));
  return { fetchedTo: undefined, files: [...dirs.flatMap(packageFiles), ...links], dirs, tops };
}

async function fetch(
  choices: readonly Choice[],
  { projectDir, target }: Where,
  lock: NpmLock | undefined,
  signal: AbortSignal | undefined,
): Promise<AddedPackages> {
  const dependencies = Object.fromEntries(choices.map((choice) => [choice.name, specOf(choice, projectDir)]));
  const places = choices.flatMap(({ place }) => place ?? []);
  const locked = lock === undefined || places.length === 0 ? undefined : lockOf(lock, places);
  const overrides = lock === undefined ? versionsOf(choices, target) : {};
  const fetchedTo = await installOnce({ dependencies, overrides, locked, projectDir, target }, signal);
  const dirs = packagesIn(join(fetchedTo, 'node_modules'));
  const tops = Object.fromEntries(choices.map(({ name }) => [name, join(fetchedTo, 'node_modules', name)]));
  return { fetchedTo, files: dirs.flatMap(packageFiles), dirs, tops };
}

/** Returns what npm is to install, in the form of a dependency in package.json. */
function specOf(choice: Choice, projectDir: string): string {
  const { name, range, installed, locked, place } = choice;
  if (place !== undefined && !place.includes('node_modules/')) throw unfetchable(name, place);
  if (locked?.version !== undefined) {
    const { resolved = '', version } = locked;
    if (/^(?:git|file:)/.test(resolved)) return resolved;
    return locked.name === undefined || locked.name === name ? version : `npm:${locked.name}@${version}`;
  }
  if (isInstalled(choice) && installed?.version !== undefined) return installed.version;
  const { dependencies, optionalDependencies, peerDependencies, devDependencies } = readPackageJson(projectDir);
  const ranges = { ...devDependencies, ...peerDependencies, ...optionalDependencies, ...dependencies };
  return range ?? ranges[name] ?? 'latest';
}

/** Returns the installed versions of the packages' dependencies: those names that have only one version. */
function versionsOf(choices: readonly Choice[], target: BundleTarget): Readonly<Record<string, string>> {
  const tops = new Set(choices.map(({ name }) => name));
  const tree = installedTree(
    choices.filter(isInstalled).flatMap(({ installed }) => installed ?? []),
    { lock: undefined, target },
  );
  const versions = new Map<string, string | undefined>();
  for (const dir of tree.dirs) {
    const name = packageNameOf(dir);
    const { version } = readPackageJson(dir);
    versions.set(name, versions.has(name) && versions.get(name) !== version ? undefined : version);
  }
  return Object.fromEntries(
    [...versions].flatMap(([name, version]) => (version === undefined || tops.has(name) ? [] : [[name, version]])),
  );
}

function unfetchable(name: string, place: string): ClipperError {
  const message = `The package ${name} is a workspace of yours (${place}), which is in no registry`;
  const fix = 'install the project, and leave `target` out: what is installed is then copied';
  return new ClipperError('E_BUNDLE_FAILED', message, { fix });
}
