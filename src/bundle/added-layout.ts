import { posix, relative, resolve, sep } from 'node:path';
import { ClipperError } from '../errors.ts';
import type { AddedPackages } from './added-packages.ts';
import type { KeptFiles } from './kept-packages.ts';
import { chooseBinaries } from './native-binaries.ts';
import { packageDirOf, packageNameOf, readPackageJson } from './package-dirs.ts';
import type { BundleTarget } from './target.ts';
import type { CopiedFile } from './write-files.ts';

interface Where {
  readonly projectDir: string;
  readonly target: BundleTarget;
}

/** Returns `name@version`, which identifies a package wherever it is installed. */
export function identityOf(dir: string): string {
  return `${packageNameOf(dir)}@${readPackageJson(dir).version}`;
}

/** Adds packages to the kept ones, so that the closure finds them. Throws E_BUNDLE_FAILED if two versions clash. */
export const withAdded = (kept: KeptFiles, added: AddedPackages, where: Where): readonly CopiedFile[] =>
  added.fetchedTo === undefined
    ? linkTops(kept, added, where)
    : mergeFetched(kept, { ...added, fetchedTo: added.fetchedTo }, where);

/** Links added packages that aren't at the top of the bundle's node_modules, such as those of a workspace. */
function linkTops({ files, place }: KeptFiles, { tops }: AddedPackages, { projectDir }: Where): readonly CopiedFile[] {
  const links = Object.entries(tops).flatMap(([name, dir]): CopiedFile[] => {
    const path = `node_modules/${name}`;
    const target = place(dir);
    const there = files.find((file) => file.path === path || file.path.startsWith(`${path}/`));
    if (target === path || (there?.link !== undefined && posix.join(posix.dirname(path), there.link) === target)) return [];
    if (there === undefined)
      return [{ path, from: resolve(dir, 'package.json'), link: posix.relative(posix.dirname(path), target) }];
    throw clash(path, dir, packageDirOf(there.from, projectDir) ?? there.from);
  });
  return sorted([...files, ...links]);
}

/** Merges what npm installed into the kept files. If both have a package, the bundle gets the files of both. */
function mergeFetched(
  { files, place }: KeptFiles,
  { fetchedTo, ...added }: AddedPackages & { fetchedTo: string },
  { projectDir, target }: Where,
): readonly CopiedFile[] {
  const links = files.filter(({ link }) => link !== undefined);
  const placeOf = (file: string): string => throughLinks(relative(fetchedTo, file).split(sep).join('/'), links);
  const keptDirs = new Map(
    files.flatMap(({ from, link }) => {
      const dir = link === undefined ? packageDirOf(from, projectDir) : undefined;
      return dir === undefined ? [] : [[place(dir), dir]];
    }),
  );
  for (const dir of added.dirs) {
    const there = keptDirs.get(placeOf(dir));
    if (there !== undefined && identityOf(there) !== identityOf(dir)) throw clash(placeOf(dir), dir, there);
  }
  const taken = new Set(files.map(({ path }) => path));
  const chosen = chooseBinaries(added.files, added.dirs, { target }).map((from) => ({ path: placeOf(from), from }));
  return sorted([...files, ...chosen.filter(({ path }) => !taken.has(path))]);
}

/** Resolves a path in a bundle through the links there. */
function throughLinks(path: string, links: readonly CopiedFile[]): string {
  const link = links.find((each) => path === each.path || path.startsWith(`${each.path}/`));
  if (link?.link === undefined) return path;
  return throughLinks(`${posix.join(posix.dirname(link.path), link.link)}${path.slice(link.path.length)}`, links);
}

const sorted = (files: readonly CopiedFile[]): readonly CopiedFile[] => [...files].sort((a, b) => (a.path < b.path ? -1 : 1));

function clash(path: string, added: string, kept: string): ClipperError {
  const message = `The bundle can have one package at ${path}, and two are wanted: ${identityOf(added)}, which \`packages\` adds, and ${identityOf(kept)}, which the function uses (${kept})`;
  return new ClipperError('E_BUNDLE_FAILED', message, {
    fix: `ask for the version that is installed, or leave it out of \`packages\``,
  });
}
