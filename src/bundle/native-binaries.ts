import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ClipperError } from '../errors.ts';
import { byWords, fits, isBinary, type Target } from './binary-platforms.ts';
import { findInstalled, type Installed, packageNameOf, readPackageJson } from './package-dirs.ts';

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
const filesOf = (dir: string): readonly string[] =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'obj.target' ? [] : filesOf(path);
    return entry.isFile() ? [path] : [];
  });

/** Whether a package has native binaries, its own or those of its variants. */
export const hasBinaries = (dir: string): boolean => variantsOf(dir).length > 0 || filesOf(dir).some(isBinary);

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
    if (!isThisProcess(target)) checkInstalled(dir, { own, variants, target });
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

/** The variants for a target that a package's dependencies name. */
const wantedVariants = (dir: string, { platform, arch }: Target): readonly string[] =>
  optionalNames(dir).filter((name) => {
    const { platforms, archs } = byWords(name);
    return platforms.includes(platform) && archs.includes(arch);
  });

function checkInstalled(
  dir: string,
  { own, variants, target }: { own: readonly string[]; variants: readonly Variant[]; target: Target },
): void {
  if (own.length === 0 && variants.length === 0) return;
  const usable = variants.filter((each) => isForTarget(each.dir, target)).map((each) => each.dir);
  const isUsable = usable.length > 0 || own.some((file) => fits(file, dir, target));
  // A variant names the libraries that it loads.
  const sources = isUsable ? usable : [dir];
  const lacking = sources.flatMap((from) =>
    wantedVariants(from, target).filter((name) => findInstalled(name, from) === undefined),
  );
  if (!isUsable || lacking.length > 0) throw missing(dir, target, lacking);
}

function missing(dir: string, { platform, arch }: Target, wanted: readonly string[]): ClipperError {
  const name = packageNameOf(dir);
  const expected = wanted.length > 0 ? `${wanted.join(', ')} was expected` : `one was expected in ${dir}`;
  const beside = wanted.length > 0 ? `; or, to keep those of this platform, npm install --force ${wanted.join(' ')}` : '';
  return new ClipperError(
    'E_BUNDLE_FAILED',
    `The package ${name} has no native binary for ${platform}-${arch} installed: ${expected}.\n  Fix: npm install --os=${platform} --cpu=${arch} ${name}${beside}`,
  );
}
