import { lstatSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, parse, posix, resolve } from 'node:path';
import type { LoadedFile } from '../closure/graph/closure.ts';
import { ClipperError, messageOf } from '../errors.ts';
import type { KeptMember, PackageBuild } from './esbuild-packages.ts';
import { insideFunction, insideVariable, keptInsidesOf } from './module-insides.ts';
import { chooseBinaries } from './native-binaries.ts';
import { layoutOf, packageDirOf } from './package-dirs.ts';
import type { BundleTarget } from './target.ts';
import { namedFiles } from './unbundlable.ts';
import type { CopiedFile } from './write-files.ts';

/** The files that kept packages need, by their original paths. */
export interface Trace {
  readonly files: readonly string[];
  readonly modules: ReadonlySet<string>;
  readonly warnings: readonly string[];
}

/** Finds the files that a build's imports of kept packages need. Throws E_BUNDLE_FAILED. */
export async function traceKept({ keptImports, keptMembers }: PackageBuild, projectDir: string): Promise<Trace> {
  const entries = [...new Set([...keptImports, ...keptMembers].map(({ file }) => file))];
  if (entries.length === 0) return { files: [], modules: new Set(), warnings: [] };
  const { nodeFileTrace } = await import('@vercel/nft');
  const base = parse(projectDir).root;
  const conditions = ['node', 'node-addons'];
  const traced = await nodeFileTrace(entries, { base, processCwd: projectDir, conditions }).catch((error: unknown) => {
    const message = `The files that packages need can't be found: ${messageOf(error)}`;
    throw new ClipperError('E_BUNDLE_FAILED', message, { cause: error });
  });
  const found = [...traced.fileList].map((path) => join(base, path));
  const modules = found.filter((file) => /\.[cm]?js$/.test(file) && !isLink(file));
  const named = await Promise.all(modules.map(async (file) => namedFiles(file, await readFile(file, 'utf8'))));
  const files = [...new Set([...found, ...named.flat()])];
  return {
    // The user's own files don't belong to a package, even if a package looks for files in the working directory.
    files: files.filter((file) => isLink(file) || packageDirOf(file, projectDir) !== undefined).sort(),
    modules: new Set([...traced.esmFileList].map((path) => join(base, path))),
    warnings: [...traced.warnings].map(({ message }) => message),
  };
}

/** Returns bundled modules whose packages must be kept too, so the build has to be repeated without them. */
export function alsoKept({ inputs, keptImports }: PackageBuild, trace: Trace, projectDir: string): readonly string[] {
  const bundled = new Set(Object.keys(inputs).map((path) => packageDirOf(resolve(projectDir, path), projectDir)));
  return [
    // A package that kept ones also use would exist twice.
    ...trace.files.filter((file) => bundled.has(packageDirOf(file, projectDir))),
    // Bundled code loads modules with `require`, which can load ES modules only in later versions of Node.
    ...keptImports
      .filter(({ file, kind }) => kind === 'import-statement' && (file.endsWith('.mjs') || trace.modules.has(file)))
      .map(({ importer }) => importer),
  ];
}

/** The files of kept packages that go into a bundle. */
export interface KeptFiles {
  readonly files: readonly CopiedFile[];
  /** Returns where a kept file is in the bundle. */
  readonly place: (file: string) => string;
}

/** Lays out the files of a trace for a target. Modules also expose the private variables that closures use. */
export function layOutKept(
  trace: Trace,
  members: readonly KeptMember[],
  where: { projectDir: string; target: BundleTarget; isElsewhere: (dir: string) => boolean },
): KeptFiles {
  const { projectDir } = where;
  const dirs = new Set(trace.files.filter((file) => !isLink(file)).map((file) => packageDirOf(file, projectDir)));
  const files = chooseBinaries(trace.files, [...dirs].filter((dir) => dir !== undefined).sort(), where);
  const place = layoutOf(files, projectDir);
  const insides = keptInsidesOf(members);
  const copied = files.map((from): CopiedFile => {
    const path = place(from);
    const link = isLink(from) ? place(resolve(dirname(from), readlinkSync(from))) : undefined;
    if (link !== undefined) return { path, from, link: posix.relative(posix.dirname(path), link) };
    const change = insides.get(from);
    return { path, from, ...(change === undefined ? {} : { change }) };
  });
  return { files: copied.sort((a, b) => (a.path < b.path ? -1 : 1)), place };
}

const isLink = (file: string): boolean => lstatSync(file).isSymbolicLink();

/**
 * Writes an ES module that adds members of kept packages to the exports of modules.cjs. Packages that were imported are
 * imported again: CommonJS can't load ES modules, and only Node knows what importing CommonJS gives.
 */
export function printKept(
  members: readonly KeptMember[],
  place: (file: string) => string,
  evaluated: readonly LoadedFile[],
): string {
  const imports = new Map<string, string>();
  const values = members.map(({ name, file, source, member }) => {
    const path = `./${place(file)}`;
    if (source.type === 'require') return `${name}: require(${JSON.stringify(path)})${keysOf(member)}`;
    if (source.type === 'inside' && !source.isModule) {
      const id = JSON.stringify(path);
      if (source.at !== undefined) return `${name}: (require(${id}), ${insideFunction(file, source.at, member)})`;
      return `${name}: (require(${id}), require.cache[require.resolve(${id})].__clipperInside)${keysOf(member)}`;
    }
    const local = imports.get(path) ?? `kept${imports.size}`;
    imports.set(path, local);
    if (source.type === 'inside' && source.at !== undefined) return `${name}: ${insideFunction(file, source.at, member)}`;
    return `${name}: ${local}${source.type === 'inside' ? `.${insideVariable(file)}` : ''}${keysOf(member)}`;
  });
  return [
    'import { createRequire } from "node:module";',
    ...[...imports].map(([path, local]) => `import * as ${local} from ${asUrl(path)};`),
    ...evaluated.filter(({ isModule }) => isModule).map(({ file }) => `import ${asUrl(`./${place(file)}`)};`),
    'const require = createRequire(import.meta.url);',
    // As in the process: each entry before what it loads.
    ...evaluated.filter(({ isModule }) => !isModule).map(({ file }) => `require(${JSON.stringify(`./${place(file)}`)});`),
    'Object.assign(require("./modules.cjs"), {',
    ...values.map((value) => `  ${value},`),
    '});',
    '',
  ].join('\n');
}

const asUrl = (path: string): string => JSON.stringify(path.replace(/[%?#\\]/g, encodeURIComponent));

const keysOf = (member: readonly string[]): string => member.map((key) => `[${JSON.stringify(key)}]`).join('');
