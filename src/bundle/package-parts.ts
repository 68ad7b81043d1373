import { packageDirOf, packageNameOf, readPackageJson } from './package-dirs.ts';
import type { SoftwarePart } from './sbom.ts';

/** Returns the folders of the packages that files belong to. */
export function packageDirsOf(files: Iterable<string>, projectDir: string): readonly string[] {
  const dirs = [...files].map((file) => packageDirOf(file, projectDir));
  return [...new Set(dirs.filter((dir) => dir !== undefined))];
}

/** Returns a package's entry in a bill of materials. */
export function partOf(dir: string): SoftwarePart {
  const { version, ...json } = readPackageJson(dir);
  return { name: packageNameOf(dir), version, license: licenseIn(json) };
}

/** Old packages have an object, or a list of objects. */
function licenseIn({ license, licenses }: { license?: unknown; licenses?: unknown }): string | undefined {
  const listed = [license ?? licenses].flat().flatMap((each: unknown) => {
    const text = typeof each === 'object' && each !== null ? (each as { type?: unknown }).type : each;
    return typeof text === 'string' && text.trim() !== '' ? [text.trim()] : [];
  });
  if (listed.length < 2) return listed[0];
  return `(${listed.join(' OR ')})`;
}
