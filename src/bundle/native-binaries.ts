import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ClipperError } from '../errors.ts';
import { byWords, fits, isBinary, namesFor } from './binary-platforms.ts';
import { findInstalled, type Installed, type PackageJson, packageNameOf, readPackageJson } from './package-dirs.ts';
import { type BundleTarget, isThisProcess, npmFlags, printTarget } from './target.ts';

/** A package with binaries for one platform, which another package lists as an optional dependency. */
interface Variant extends Installed {
  readonly name: string;
}

/** Whether a package's `os`, `cpu` and `libc` allow a target. Follows npm's rules. */
export function isForTarget({ os = [], cpu = [], libc = [] }: PackageJson, target: BundleTarget): boolean {
  const isListed = (list: string | readonly string[], own: string): boolean => {
    const all = [list].flat();
    return !all.includes(`!${own}`) && (all.includes(own) || all.every((each) => each.startsWith('!')));
  };
  const hasLibc = target.libc === undefined || isListed(libc, target.libc);
  return isListed(os, target.platform) && isListed(cpu, target.arch) && hasLibc;
}

const isVariant = (dir: string): boolean => {
  const { os, cpu } = readPackageJson(dir);
  return os !== undefined || cpu !== undefined;
};

const optionalNames = (dir: string): readonly string[] => Object.keys(readPackageJson(dir).optionalDependencies ?? {});

/** Returns the installed platform-specific packages of a package. */
export const variantsOf = (dir: string): readonly Variant[] =>
  optionalNames(dir).flatMap((name) => {
    const installed = findInstalled(name, dir);
    return installed !== undefined && isVariant(installed.dir) ? [{ name, ...installed }] : [];
  });

/** Returns all files of a package's folder, without the packages installed in it. */
const filesOf = (dir: string): readonly string[] =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'obj.target' ? [] : filesOf(path);
    return entry.isFile() ? [path] : [];
  });

/** Whether a package has native binaries, either its own or those of its variants. */
export const hasBinaries = (dir: string): boolean => variantsOf(dir).length > 0 || filesOf(dir).some(isBinary);

/**
 * Chooses the native binaries of kept packages for a target: adds those that the packages ship for it, including in optional
 * dependencies, and removes the others. Throws E_BUNDLE_FAILED if only binaries for other platforms are installed, unless the
 * package's binaries come from elsewhere.
 */
export function chooseBinaries(
  files: readonly string[],
  dirs: readonly string[],
  { target, isElsewhere = () => false }: { target: BundleTarget; isElsewhere?: (dir: string) => boolean },
): readonly string[] {
  const chosen = new Set(files);
  // Variants are chosen with the package that lists them.
  const listed = new Set(dirs.flatMap((dir) => variantsOf(dir).map((each) => each.dir)));
  for (const dir of dirs) {
    if (listed.has(dir)) continue;
    const variants = withNested(variantsOf(dir));
    const own = filesOf(dir).filter(
      (file) => isBinary(file) && (chosen.has(file) || byWords(relative(dir, file)).platforms.length > 0),
    );
    if (!isThisProcess(target) && !isElsewhere(dir)) checkInstalled(dir, { own, variants, target });
    for (const file of own) chosen[fits(file, dir, target) ? 'add' : 'delete'](file);
    for (const { dir: place, link } of variants) {
      const operation = isForTarget(readPackageJson(place), target) ? 'add' : 'delete';
      for (const file of filesOf(place)) chosen[operation](file);
      if (link !== undefined) chosen[operation](link);
    }
  }
  return [...chosen];
}

/** Variants may have variants: those of an addon, and those of the libraries that it loads. */
const withNested = (variants: readonly Variant[]): readonly Variant[] =>
  variants.flatMap((each) => [each, ...withNested(variantsOf(each.dir))]);

/** Returns the variants for a target that a package lists as dependencies but that aren't installed. */
export const lackingVariants = (dir: string, target: BundleTarget): readonly string[] =>
  namesFor(optionalNames(dir), target).filter((name) => findInstalled(name, dir) === undefined);

function checkInstalled(
  dir: string,
  { own, variants, target }: { own: readonly string[]; variants: readonly Variant[]; target: BundleTarget },
): void {
  if (own.length === 0 && variants.length === 0) return;
  const usable = variants.filter((each) => isForTarget(readPackageJson(each.dir), target)).map((each) => each.dir);
  const isUsable = usable.length > 0 || own.some((file) => fits(file, dir, target));
  // A variant lists the libraries that it loads.
  const sources = isUsable ? usable : [dir];
  const lacking = sources.flatMap((from) => lackingVariants(from, target));
  if (!isUsable || lacking.length > 0) throw missing(dir, target, lacking);
}

function missing(dir: string, target: BundleTarget, wanted: readonly string[]): ClipperError {
  const name = packageNameOf(dir);
  const expected = wanted.length > 0 ? `${wanted.join(', ')} was expected` : `one was expected in ${dir}`;
  const beside = wanted.length > 0 ? `; or, to keep those of this platform, npm install --force ${wanted.join(' ')}` : '';
  const install = `npm install ${npmFlags(target).join(' ')} ${name}`;
  return new ClipperError(
    'E_BUNDLE_FAILED',
    `The package ${name} has no native binary for ${printTarget(target)} installed: ${expected}`,
    { fix: `${install}${beside}` },
  );
}
