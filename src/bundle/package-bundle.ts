import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { Message } from 'esbuild';
import { LRUCache } from 'lru-cache';
import type { EmittedFile } from '../closure/emit/format.ts';
import type { PackageImport } from '../closure/emit/modules.ts';
import type { LoadedFile } from '../closure/graph/closure.ts';
import { ClipperError } from '../errors.ts';
import { stampsOf } from '../util/file-stamps.ts';
import { identityOf, withAdded } from './added-layout.ts';
import type { AddedPackages } from './added-packages.ts';
import { buildPackages, isFileInput, type PackageBuild, placeKeptFiles } from './esbuild-packages.ts';
import { alsoKept, type KeptFiles, layOutKept, printKept, type Trace, traceKept } from './kept-packages.ts';
import { KeptPackages } from './package-dirs.ts';
import { packageDirsOf, partOf } from './package-parts.ts';
import { PackageWarnings } from './package-warnings.ts';
import type { SoftwarePart } from './sbom.ts';
import type { BundleTarget } from './target.ts';
import { unbundlableFiles } from './unbundlable.ts';
import type { CopiedFile } from './write-files.ts';

/** What a bundle contains from packages. */
export interface PackedPackages {
  /** modules.cjs and, if the closure uses kept packages, a module that must be evaluated before the closure. */
  readonly code: readonly EmittedFile[];
  readonly files: readonly CopiedFile[];
  /** The packages it contains. */
  readonly parts: readonly SoftwarePart[];
  readonly warnings: readonly string[];
}

/** A result, with the files that it was created from and their stamps at the time. */
interface Made {
  readonly packed: PackedPackages;
  readonly stamps: readonly string[];
  readonly files: readonly string[];
}

export interface PackageRequest {
  readonly packages: readonly PackageImport[];
  /** Modules of these packages that the process evaluated, in order. */
  readonly evaluated: readonly LoadedFile[];
  readonly projectDir: string;
  readonly target: BundleTarget;
  readonly added: AddedPackages | undefined;
}

/** The next version of a model mostly uses the same packages, and bundling them is most of the work of a deploy here. */
const made = new LRUCache<string, Made>({ max: 16 });

/** The module that loads kept packages. */
export const keptName = 'packages.mjs';
const modulesName = 'modules.cjs';

/**
 * Bundles what a closure uses from packages into one CommonJS module. Imports resolve as Node resolved them in the process:
 * from the folder of the importing file, and CommonJS modules by their exact file. Packages that can't be bundled are kept
 * as files. Throws E_BUNDLE_FAILED.
 */
export async function bundlePackages(request: PackageRequest): Promise<PackedPackages> {
  const key = createHash('sha256').update(JSON.stringify(request)).digest('hex');
  const known = made.get(key);
  if (known !== undefined && String(await stampsOf(known.files)) === String(known.stamps)) return known.packed;
  const { packed, inputs } = await packPackages(request);
  const files = [...inputs, ...packed.files.map(({ from }) => from)];
  made.set(key, { packed, files, stamps: await stampsOf(files) });
  return packed;
}

/** Repeats the build until the set of kept packages is stable: keeping one package may require keeping another. */
async function packPackages(request: PackageRequest): Promise<{ packed: PackedPackages; inputs: readonly string[] }> {
  const { packages, evaluated, projectDir, added } = request;
  const kept = new KeptPackages(projectDir);
  // Packages added from the project would exist twice if they were bundled too.
  if (added?.fetchedTo === undefined) kept.addOf(added?.dirs.map((dir) => join(dir, 'package.json')) ?? []);
  const isAdded = isOneOf(added);
  const warnings = new PackageWarnings(projectDir);
  for (;;) {
    const build =
      packages.length + evaluated.length === 0 ? noBuild : await buildPackages({ packages, evaluated, projectDir, kept });
    warnings.collect(build);
    if (build.text === undefined) {
      if (!kept.addOf(placesOf(build.errors, projectDir))) throw failureOf(build.errors);
      continue;
    }
    if (kept.addOf(await unbundlableFiles(build, projectDir))) continue;
    const inputs = inputsOf(build, projectDir);
    const bundledDirs = packageDirsOf(inputs, projectDir);
    if (kept.addOf(bundledDirs.filter(isAdded).map((dir) => join(dir, 'package.json')))) continue;
    const trace = kept.size === 0 ? undefined : await traceKept(build, projectDir);
    if (trace !== undefined && kept.addOf(alsoKept(build, trace, projectDir))) continue;
    const { code, files } = pack(build, trace, { ...request, isElsewhere: isAdded });
    const dirs = [
      ...new Set([
        ...bundledDirs,
        ...packageDirsOf(
          files.map(({ from }) => from),
          projectDir,
        ),
      ]),
    ];
    const packed = { code, files, parts: dirs.map(partOf), warnings: warnings.lines(kept, trace) };
    return { packed, inputs: [...inputs, ...dirs.map((dir) => join(dir, 'package.json'))] };
  }
}

const inputsOf = ({ inputs }: PackageBuild, projectDir: string): readonly string[] =>
  Object.keys(inputs)
    .filter(isFileInput)
    .map((path) => resolve(projectDir, path));

/** Returns whether a package was also fetched separately, in the same version. */
function isOneOf(added: AddedPackages | undefined): (dir: string) => boolean {
  if (added?.fetchedTo === undefined) return () => false;
  const identities = new Set(added.dirs.map(identityOf));
  return (dir) => identities.has(identityOf(dir));
}

const noBuild: PackageBuild = { text: '', errors: [], warnings: [], inputs: {}, keptImports: [], keptMembers: [] };

function pack(
  build: PackageBuild,
  trace: Trace | undefined,
  request: PackageRequest & { isElsewhere: (dir: string) => boolean },
): Pick<PackedPackages, 'code' | 'files'> {
  const { text = '', keptImports, keptMembers } = build;
  const { packages, added } = request;
  const kept = trace === undefined ? nothingKept : layOutKept(withFilesOf(trace, added), keptMembers, request);
  const files = added === undefined ? kept.files : withAdded(kept, added, request);
  const modules = { name: modulesName, text: placeKeptFiles(text, keptImports, kept.place) };
  if (packages.length + request.evaluated.length === 0) return { code: [], files };
  // Packages that only bundled modules use are loaded by their `require` calls.
  if (keptMembers.length === 0) return { code: [modules], files };
  return {
    code: [modules, { name: keptName, text: printKept(keptMembers, kept.place, keptOf(request.evaluated, trace)) }],
    files,
  };
}

const nothingKept: KeptFiles = { files: [], place: (file) => file };

/** Returns the modules of kept packages that the process evaluated and that are in the bundle. */
function keptOf(evaluated: readonly LoadedFile[], trace: Trace | undefined): readonly LoadedFile[] {
  const files = new Set(trace?.files);
  return evaluated.filter(({ file }) => files.has(file));
}

/** Packages added from the project go in with the kept files of the closure. */
const withFilesOf = (trace: Trace, added: AddedPackages | undefined): Trace =>
  added === undefined || added.fetchedTo !== undefined
    ? trace
    : { ...trace, files: [...new Set([...trace.files, ...added.files])].sort() };

/** Returns the files in which esbuild found errors. Node may still be able to run them. */
const placesOf = (errors: readonly Message[], projectDir: string): readonly string[] =>
  errors.flatMap(({ location }) => (location === null ? [] : [resolve(projectDir, location.file)]));

function failureOf(errors: readonly Message[]): ClipperError {
  const reasons = errors
    .slice(0, 5)
    .map(({ text, location }) => `  ${text}${location === null ? '' : ` (${location.file}:${location.line})`}`);
  return new ClipperError('E_BUNDLE_FAILED', `The packages that the function uses can't be bundled:\n${reasons.join('\n')}`);
}
