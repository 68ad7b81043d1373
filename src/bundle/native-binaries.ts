import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { ClipperError } from '../errors.ts';
import { findInstalled, type Installed, packageNameOf, readPackageJson } from './package-dirs.ts';

/** Where a bundle is to run. */
export interface Target {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
}

/** A native binary: where it runs, as far as it can be told. */
interface Binary {
  readonly platforms: readonly string[];
  readonly archs: readonly string[];
}

const platformWords: Readonly<Record<string, string>> = {
  aix: 'aix',
  android: 'android',
  darwin: 'darwin',
  freebsd: 'freebsd',
  linux: 'linux',
  macos: 'darwin',
  openbsd: 'openbsd',
  osx: 'darwin',
  sunos: 'sunos',
  win32: 'win32',
  windows: 'win32',
};
const archWords: Readonly<Record<string, string>> = {
  aarch64: 'arm64',
  amd64: 'x64',
  arm: 'arm',
  arm64: 'arm64',
  armv6: 'arm',
  armv7: 'arm',
  ia32: 'ia32',
  loong64: 'loong64',
  ppc64: 'ppc64',
  riscv64: 'riscv64',
  s390x: 's390x',
  x64: 'x64',
  x86: 'ia32',
};

/** What the words of a path say about where a binary runs: `prebuilds/linux-x64`, `build/win32/ia32`, `x.darwin-arm64.node`. */
function byWords(path: string): Binary {
  const words = path
    .toLowerCase()
    .replaceAll('x86_64', 'x64')
    .split(/[^a-z0-9]+/);
  const known = (table: Readonly<Record<string, string>>): string[] =>
    words.flatMap((word) => (Object.hasOwn(table, word) ? [table[word] ?? ''] : []));
  return { platforms: known(platformWords), archs: words.includes('universal') ? [] : known(archWords) };
}

const elfMachines: Readonly<Record<number, string>> = {
  3: 'ia32',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
};
const machMachines: Readonly<Record<number, string>> = { 16777223: 'x64', 16777228: 'arm64' };
const peMachines: Readonly<Record<number, string>> = { 332: 'ia32', 34404: 'x64', 43620: 'arm64' };

/** What the first bytes of a binary say; undefined for what is none. Addons compiled at install say it nowhere else. */
function byHeader(file: string): Binary | undefined {
  const bytes = Buffer.alloc(1024);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, bytes, 0, bytes.length, 0);
  } finally {
    closeSync(descriptor);
  }
  const magic = bytes.readUInt32BE(0);
  const of = (platforms: string[], arch: string | undefined): Binary => ({ platforms, archs: arch === undefined ? [] : [arch] });
  // Several systems use this one.
  if (magic === 0x7f45_4c46) return of(['linux', 'android', 'freebsd', 'openbsd', 'sunos'], elfMachines[bytes.readUInt16LE(18)]);
  if (magic === 0xcffa_edfe) return of(['darwin'], machMachines[bytes.readUInt32LE(4)]);
  if (magic === 0xcafe_babe) return of(['darwin'], undefined);
  if (bytes.toString('latin1', 0, 2) !== 'MZ') return undefined;
  return of(['win32'], peMachines[bytes.readUInt16LE(Math.min(bytes.readUInt32LE(60) + 4, bytes.length - 2))]);
}

const binaryName = /\.(?:node|dylib|dll|exe)$|\.so(?:\.\d+)*$/;
const isBinary = (file: string): boolean =>
  binaryName.test(file) || (extname(file) === '' && (statSync(file).mode & 0o111) !== 0);

const anywhere: Binary = { platforms: [], archs: [] };

const allows = ({ platforms, archs }: Binary, { platform, arch }: Target): boolean =>
  (platforms.length === 0 || platforms.includes(platform)) && (archs.length === 0 || archs.includes(arch));

const fits = (file: string, dir: string, target: Target): boolean =>
  allows(byWords(relative(dir, file)), target) && allows(byHeader(file) ?? anywhere, target);

/** A package of binaries for one platform, which another one lists as an optional dependency. */
interface Variant extends Installed {
  readonly name: string;
}

const isForTarget = (dir: string, { platform, arch }: Target): boolean => {
  const { os = [], cpu = [] } = readPackageJson(dir);
  const isListed = (list: readonly string[], own: string): boolean =>
    !list.includes(`!${own}`) && (list.includes(own) || list.every((each) => each.startsWith('!')));
  return isListed(os, platform) && isListed(cpu, arch);
};

const isVariant = (dir: string): boolean => {
  const { os, cpu } = readPackageJson(dir);
  return os !== undefined || cpu !== undefined;
};

const optionalNames = (dir: string): readonly string[] => Object.keys(readPackageJson(dir).optionalDependencies ?? {});

/** The installed packages of binaries of a package. */
export const variantsOf = (dir: string): readonly Variant[] =>
  optionalNames(dir).flatMap((name) => {
    const installed = findInstalled(name, dir);
    return installed !== undefined && isVariant(installed.dir) ? [{ name, ...installed }] : [];
  });

/** All files of a package's folder, without what is installed in it. */
export const filesOf = (dir: string): readonly string[] =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'obj.target' ? [] : filesOf(path);
    return entry.isFile() ? [path] : [];
  });

/**
 * Chooses the native binaries of kept packages for a platform: adds those that the packages ship for it, also as
 * optional dependencies, and leaves the others out. Throws E_BUNDLE_FAILED where only other platforms' are installed.
 */
export function chooseBinaries(files: readonly string[], dirs: readonly string[], target: Target): readonly string[] {
  const chosen = new Set(files);
  // They are chosen with the package that lists them.
  const listed = new Set(dirs.flatMap((dir) => variantsOf(dir).map((each) => each.dir)));
  for (const dir of dirs) {
    if (listed.has(dir)) continue;
    const variants = withNested(variantsOf(dir));
    const own = filesOf(dir).filter(
      (file) => isBinary(file) && (chosen.has(file) || byWords(relative(dir, file)).platforms.length > 0),
    );
    const ofVariants = variants.flatMap((each) => filesOf(each.dir).filter(isBinary));
    const usable = [
      ...own.filter((file) => fits(file, dir, target)),
      ...variants.filter((each) => isForTarget(each.dir, target)),
    ];
    const isNative = own.length + ofVariants.length > 0;
    if (isNative && usable.length === 0 && !isThisProcess(target)) throw missing(dir, target);
    for (const file of own) chosen[fits(file, dir, target) ? 'add' : 'delete'](file);
    for (const { dir: place, link } of variants) {
      const operation = isForTarget(place, target) ? 'add' : 'delete';
      for (const file of filesOf(place)) chosen[operation](file);
      if (link !== undefined) chosen[operation](link);
    }
  }
  return [...chosen];
}

/** Variants have variants: an addon's and those of the libraries that it loads. */
const withNested = (variants: readonly Variant[]): readonly Variant[] =>
  variants.flatMap((each) => [each, ...withNested(variantsOf(each.dir))]);

const isThisProcess = ({ platform, arch }: Target): boolean => platform === process.platform && arch === process.arch;

function missing(dir: string, target: Target): ClipperError {
  const name = packageNameOf(dir);
  const wanted = optionalNames(dir).filter((each) => {
    const { platforms, archs } = byWords(each);
    return platforms.includes(target.platform) && archs.includes(target.arch);
  });
  const { platform, arch } = target;
  const expected =
    wanted.length > 0 ? `${wanted.join(' or ')} was expected` : `one was expected in ${relative(dirname(dir), dir)}`;
  return new ClipperError(
    'E_BUNDLE_FAILED',
    `The package ${name} has no native binary for ${platform}-${arch} installed: ${expected}.\n  Fix: npm install --os=${platform} --cpu=${arch} ${name}`,
  );
}
