import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { extname, relative } from 'node:path';
import type { BundleTarget } from './target.ts';

/** Where a native binary runs, as far as is known. An empty list means anywhere. */
interface Platforms {
  readonly platforms: readonly string[];
  readonly archs: readonly string[];
  readonly libcs: readonly string[];
}

const platformWords: Readonly<Record<string, string>> = {
  aix: 'aix',
  android: 'android',
  darwin: 'darwin',
  freebsd: 'freebsd',
  linux: 'linux',
  linuxmusl: 'linux',
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
const libcWords: Readonly<Record<string, string>> = {
  glibc: 'glibc',
  gnu: 'glibc',
  gnueabihf: 'glibc',
  linuxmusl: 'musl',
  musl: 'musl',
  musleabihf: 'musl',
};

/** Reads from the words of a path where a binary runs: `prebuilds/linux-x64`, `build/win32/ia32`, `x.linux-arm64-musl.node`. */
export function byWords(path: string): Platforms {
  const words = path
    .toLowerCase()
    .replaceAll('x86_64', 'x64')
    .split(/[^a-z0-9]+/);
  const known = (table: Readonly<Record<string, string>>): string[] =>
    words.flatMap((word) => (Object.hasOwn(table, word) ? [table[word] ?? ''] : []));
  const archs = words.includes('universal') ? [] : known(archWords);
  return { platforms: known(platformWords), archs, libcs: known(libcWords) };
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

/**
 * Reads from a file's header where it runs. Undefined if the file isn't a binary. Addons compiled at install time say it
 * nowhere else.
 */
function byHeader(file: string): Platforms | undefined {
  const bytes = Buffer.alloc(1024);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, bytes, 0, bytes.length, 0);
  } finally {
    closeSync(descriptor);
  }
  const magic = bytes.readUInt32BE(0);
  const of = (platforms: string[], arch: string | undefined): Platforms => ({
    platforms,
    archs: arch === undefined ? [] : [arch],
    libcs: [],
  });
  // Several operating systems use ELF.
  if (magic === 0x7f45_4c46) return of(['linux', 'android', 'freebsd', 'openbsd', 'sunos'], elfMachines[bytes.readUInt16LE(18)]);
  if (magic === 0xcffa_edfe) return of(['darwin'], machMachines[bytes.readUInt32LE(4)]);
  if (magic === 0xcafe_babe) return of(['darwin'], undefined);
  if (bytes.toString('latin1', 0, 2) !== 'MZ') return undefined;
  return of(['win32'], peMachines[bytes.readUInt16LE(Math.min(bytes.readUInt32LE(60) + 4, bytes.length - 2))]);
}

const binaryName = /\.(?:node|dylib|dll|exe)$|\.so(?:\.\d+)*$/;

/** Whether a file may be a native binary, by its name. A file without an extension may be a program. */
export const isBinary = (file: string): boolean =>
  binaryName.test(file) || (extname(file) === '' && (statSync(file).mode & 0o111) !== 0);

const anywhere: Platforms = { platforms: [], archs: [], libcs: [] };

const allows = ({ platforms, archs, libcs }: Platforms, { platform, arch, libc }: BundleTarget): boolean =>
  (platforms.length === 0 || platforms.includes(platform)) &&
  (archs.length === 0 || archs.includes(arch)) &&
  // On Windows, `gnu` is the name of a compiler.
  (libcs.length === 0 || libc === undefined || libcs.includes(libc));

/** Whether a binary of the package in this folder runs on a target. */
export const fits = (file: string, dir: string, target: BundleTarget): boolean =>
  allows(byWords(relative(dir, file)), target) && allows(byHeader(file) ?? anywhere, target);

/**
 * Returns the names that claim to fit a target. If some of them name the target's libc, those without a libc are for the other
 * one and are left out.
 */
export function namesFor(names: readonly string[], target: BundleTarget): readonly string[] {
  const fitting = names.filter((name) => {
    const said = byWords(name);
    return said.platforms.length > 0 && said.archs.length > 0 && allows(said, target);
  });
  const exact = fitting.filter((name) => byWords(name).libcs.length > 0);
  return exact.length > 0 ? exact : fitting;
}
