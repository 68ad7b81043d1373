import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, rmdir, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { secretsOption } from '../closure/capture/options.ts';
import { captureClosure } from '../closure/capture-closure.ts';
import type { Asset } from '../closure/emit/assets.ts';
import { emitClosure } from '../closure/emit/emit.ts';
import { type EmittedFile, entryName } from '../closure/emit/format.ts';
import { reportOf } from '../closure/explain-closure.ts';
import type { CapturedClosure } from '../closure/graph/closure.ts';
import type { CaptureReport } from '../closure/report/report.ts';
import { ClipperError } from '../errors.ts';
import { resolveOptions } from '../util/options.ts';
import { z } from '../util/zod.ts';
import { addPackages } from './added-packages.ts';
import { bundlePackages, keptName, type PackageRequest, type PackedPackages } from './package-bundle.ts';
import { packagesOption, wantedPackages } from './packages-option.ts';
import { printSbom, sbomOf } from './sbom.ts';
import { resolveTarget, type TargetOption, targetOption } from './target.ts';
import { type BundleFile, type CopiedFile, copyHashed, digestOf, writeHashed } from './write-files.ts';

/** An immutable folder created from a closure, ready to run in a replica. */
export interface StoredBundle {
  /** Absolute. */
  readonly dir: string;
  /** Absolute path of an ES module whose default export is the restored function. */
  readonly entry: string;
  /** SHA-256 of the bundle's contents, in hex. The same closure always has the same digest. */
  readonly digest: string;
  readonly files: readonly BundleFile[];
  /** Loads in packages that may fail in a replica: where each one is, and how to fix it. */
  readonly warnings: readonly string[];
}

/** A bundle, along with what is known about its closure. */
export interface Bundle extends StoredBundle {
  /** What was captured, and how. */
  readonly captured: CaptureReport;
}

/** Whether the function takes a batch of inputs or one input. */
export type Takes = 'batch' | 'one';

const BundleOptions = z.strictObject({
  outDir: z.string().min(1).describe('The folder to write the bundle to; made if missing.'),
  secrets: secretsOption,
  target: targetOption,
  packages: packagesOption,
});
/** How and where to bundle a closure. */
export type BundleOptions = z.input<typeof BundleOptions>;

const manifestName = 'manifest.json';
export const sbomName = 'sbom.cdx.json';

/**
 * Captures a function with everything it closes over and writes it to a folder. Any Node of the same major version can
 * import it from there. Throws E_NOT_CAPTURABLE with the path to what can't travel, and E_BUNDLE_FAILED for packages that can
 * neither be bundled nor kept as files.
 */
export async function bundleClosure(fn: Function, options: BundleOptions): Promise<Bundle> {
  const { outDir, secrets, ...settings } = resolveOptions(BundleOptions, options, 'bundleClosure');
  const captured = await captureClosure(fn, { secrets });
  // Must come first, since writing changes the nodes.
  const report = reportOf(captured, []);
  const bundle = await writeBundle(captured, { ...settings, dir: resolve(outDir), takes: 'batch' });
  return { ...bundle, captured: report };
}

/** How to create a bundle. */
interface BundleSettings {
  readonly takes: Takes;
  readonly target?: TargetOption;
  readonly packages?: 'auto' | readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes a bundle to a store, which has one folder per bundle, named by its digest. A bundle that already exists isn't
 * rewritten.
 */
export async function storeBundle(
  captured: CapturedClosure,
  { storeDir, ...settings }: BundleSettings & { storeDir: string },
): Promise<StoredBundle> {
  const draft = join(storeDir, `.draft-${randomUUID()}`);
  try {
    const bundle = await writeBundle(captured, { ...settings, dir: draft });
    const dir = join(storeDir, bundle.digest);
    // Another deploy of the same closure may have been faster.
    if (!existsSync(dir)) await rename(draft, dir).catch((error: unknown) => existsSync(dir) || Promise.reject(error));
    // Bundles that are no longer needed are evicted by age, so mark this one as recently used.
    else await utimes(dir, new Date(), new Date());
    return { ...bundle, dir, entry: join(dir, entryName) };
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function writeBundle(
  captured: CapturedClosure,
  { dir, takes, signal, ...settings }: BundleSettings & { dir: string },
): Promise<StoredBundle> {
  const { files: own, assets, packages } = emitClosure(captured);
  await removeOldBundle(dir);
  await mkdir(dir, { recursive: true });
  const [written, packing] = await Promise.allSettled([
    writeAssets(dir, assets, signal),
    packPackages({ packages, evaluated: captured.packageFiles, projectDir: captured.projectDir }, { ...settings, signal }),
  ]);
  // Both have settled by now, so nothing is still writing or installing.
  if (written.status === 'rejected') throw written.reason;
  if (packing.status === 'rejected') throw packing.reason;
  const [files, packed] = [[...written.value], packing.value];
  const hasKept = packed.code.some(({ name }) => name === keptName);
  const sbom = { name: sbomName, text: printSbom(sbomOf(packed.parts)) };
  const code = [...own.map((file) => (hasKept ? withKept(file) : file)), ...packed.code, sbom];
  for (const { name, text } of code) files.push(await writeHashed(dir, name, Buffer.from(text), signal));
  if (packed.files.length > 0) files.push(...(await copyPackages(dir, packed.files, signal)));
  signal?.throwIfAborted();
  const digest = digestOf(files, [takes]);
  const manifest = { format: 1, digest, entry: entryName, takes, node: process.versions.node, sbom: sbomName, files };
  await writeFile(join(dir, manifestName), `${JSON.stringify(manifest, undefined, 2)}\n`);
  const { warnings } = packed;
  return { dir, entry: join(dir, entryName), digest, files, warnings };
}

async function writeAssets(dir: string, assets: readonly Asset[], signal?: AbortSignal): Promise<readonly BundleFile[]> {
  const files: BundleFile[] = [];
  for (const { name, bytes } of assets) files.push(await writeHashed(dir, `assets/${name}`, bytes, signal));
  return files;
}

/** Bundles, keeps and adds the packages that a closure needs. */
async function packPackages(
  used: Pick<PackageRequest, 'packages' | 'evaluated' | 'projectDir'>,
  { packages = 'auto', target, signal }: Omit<BundleSettings, 'takes'>,
): Promise<PackedPackages> {
  const wanted = wantedPackages(packages);
  if (used.packages.length + used.evaluated.length + wanted.length === 0) return { code: [], files: [], parts: [], warnings: [] };
  const where = { projectDir: used.projectDir, target: resolveTarget(target) };
  return bundlePackages({ ...used, ...where, added: await addPackages(wanted, where, signal) });
}

/**
 * Imports are evaluated before a module's code wherever they are. At the end, this one doesn't shift any line of the source
 * map.
 */
const withKept = (file: EmittedFile): EmittedFile =>
  file.name === entryName ? { ...file, text: `${file.text}import "./${keptName}";\n` } : file;

/** Throws E_BUNDLE_FAILED if the folder already has installed packages, which would mix with these. */
async function copyPackages(dir: string, files: readonly CopiedFile[], signal?: AbortSignal): Promise<readonly BundleFile[]> {
  const packagesDir = join(dir, 'node_modules');
  if (existsSync(packagesDir)) {
    const message = `The function uses packages that are kept as files, and ${dir} has a node_modules folder of its own`;
    throw new ClipperError('E_BUNDLE_FAILED', message, { fix: 'give an empty folder as outDir' });
  }
  try {
    return await copyHashed(dir, files, signal);
  } catch (error) {
    // No manifest lists them, so nothing else would remove them.
    await rm(packagesDir, { recursive: true, force: true });
    throw error;
  }
}

/** Removes what an earlier bundle left in the folder, and nothing else. */
async function removeOldBundle(dir: string): Promise<void> {
  const manifest = await readFile(join(dir, manifestName), 'utf8').catch(() => undefined);
  if (manifest === undefined) return;
  const { files = [] } = JSON.parse(manifest) as { files?: readonly BundleFile[] };
  for (const { path } of files) await rm(join(dir, path), { force: true });
  // Empty folders would look like packages and block links.
  const folders = new Set(files.flatMap(({ path }) => foldersOf(path)));
  for (const path of [...folders].sort().reverse()) await rmdir(join(dir, path)).catch(() => {});
}

/** Returns the folders within the bundle that contain a file, outermost first. */
const foldersOf = (path: string): readonly string[] =>
  path
    .split('/')
    .slice(0, -1)
    .map((_, index, parts) => parts.slice(0, index + 1).join('/'));
