import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Message } from 'esbuild';
import { LRUCache } from 'lru-cache';
import type { EmittedFile } from '../closure/emit-format.ts';
import type { PackageImport } from '../closure/emit-modules.ts';
import { ClipperError, messageOf } from '../errors.ts';
import { buildPackages, isFileInput, type PackageBuild, placeKeptFiles } from './esbuild-packages.ts';
import { alsoKept, layOutKept, printKept, type Trace, traceKept } from './kept-packages.ts';
import { KeptPackages } from './package-dirs.ts';
import { packageDirsOf, partOf } from './package-parts.ts';
import { PackageWarnings } from './package-warnings.ts';
import type { SoftwarePart } from './sbom.ts';
import type { Target } from './target.ts';
import { unbundlableFiles } from './unbundlable.ts';
import type { CopiedFile } from './write-files.ts';

/** What a bundle holds of packages. */
export interface PackedPackages {
  /** modules.cjs, and where the closure uses kept packages a module that must be evaluated before the closure is. */
  readonly code: readonly EmittedFile[];
  readonly files: readonly CopiedFile[];
  /** The packages that it is made of. */
  readonly parts: readonly SoftwarePart[];
  readonly warnings: readonly string[];
}

/** A result with the files that it was made of, as they were then. */
interface Made {
  readonly packed: PackedPackages;
  readonly stamps: readonly string[];
  readonly files: readonly string[];
}

export interface PackageRequest {
  readonly packages: readonly PackageImport[];
  readonly projectDir: string;
  readonly target: Target;
}

/** The next version of a model mostly uses the same packages, and bundling them is most of a deploy's work here. */
const made = new LRUCache<string, Made>({ max: 16 });

/** The module that brings what is kept as files. */
export const keptName = 'packages.mjs';
const modulesName = 'modules.cjs';

/**
 * Bundles what a closure takes from packages into one CommonJS module, resolved as Node resolved it in the process:
 * from the folder of the importing file, and CommonJS modules by the very file. Packages that can't be bundled are kept
 * as files. Throws E_BUNDLE_FAILED.
 */
export async function bundlePackages(request: PackageRequest): Promise<PackedPackages> {
  const key = JSON.stringify(request);
  const known = made.get(key);
  if (known !== undefined && String(await stampsOf(known.files)) === String(known.stamps)) return known.packed;
  const { packed, inputs } = await packPackages(request);
  const files = [...inputs, ...packed.files.map(({ from }) => from)];
  made.set(key, { packed, files, stamps: await stampsOf(files) });
  return packed;
}

/** When each file was written, and how large it is. */
const stampsOf = (files: readonly string[]): Promise<readonly string[]> =>
  Promise.all(files.map((file) => stat(file).then(({ mtimeMs, size }) => `${mtimeMs} ${size}`, messageOf)));

/** Builds until it is known which packages must be kept as files: that one is, may show that of another. */
async function packPackages(request: PackageRequest): Promise<{ packed: PackedPackages; inputs: readonly string[] }> {
  const { packages, projectDir } = request;
  const kept = new KeptPackages(projectDir);
  const warnings = new PackageWarnings(projectDir);
  for (;;) {
    const build = await buildPackages({ packages, projectDir, kept });
    warnings.collect(build);
    if (build.text === undefined) {
      if (!kept.addOf(placesOf(build.errors, projectDir))) throw failureOf(build.errors);
      continue;
    }
    if (kept.addOf(await unbundlableFiles(build, projectDir))) continue;
    const trace = kept.size === 0 ? undefined : await traceKept(build, projectDir);
    if (trace !== undefined && kept.addOf(alsoKept(build, trace, projectDir))) continue;
    const inputs = Object.keys(build.inputs).filter(isFileInput);
    const paths = inputs.map((path) => resolve(projectDir, path));
    const { code, files } = pack(build, trace, request);
    const dirs = packageDirsOf([...paths, ...files.map(({ from }) => from)], projectDir);
    const packed = { code, files, parts: dirs.map(partOf), warnings: warnings.lines(kept, trace) };
    return { packed, inputs: [...paths, ...dirs.map((dir) => join(dir, 'package.json'))] };
  }
}

function pack(build: PackageBuild, trace: Trace | undefined, request: PackageRequest): Pick<PackedPackages, 'code' | 'files'> {
  const { text = '', keptImports, keptMembers } = build;
  if (trace === undefined) return { code: [{ name: modulesName, text }], files: [] };
  const { files, place } = layOutKept(trace, keptMembers, request);
  const modules = { name: modulesName, text: placeKeptFiles(text, keptImports, place) };
  // What only bundled modules use, they `require`.
  if (keptMembers.length === 0) return { code: [modules], files };
  return { code: [modules, { name: keptName, text: printKept(keptMembers, place) }], files };
}

/** The files that esbuild found wrong; it may be that Node can run them all the same. */
const placesOf = (errors: readonly Message[], projectDir: string): readonly string[] =>
  errors.flatMap(({ location }) => (location === null ? [] : [resolve(projectDir, location.file)]));

function failureOf(errors: readonly Message[]): ClipperError {
  const reasons = errors
    .slice(0, 5)
    .map(({ text, location }) => `  ${text}${location === null ? '' : ` (${location.file}:${location.line})`}`);
  return new ClipperError('E_BUNDLE_FAILED', `The packages that the function uses can't be bundled:\n${reasons.join('\n')}`);
}
