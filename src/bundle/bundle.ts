import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { captureClosure } from '../closure/capture.ts';
import { emitClosure } from '../closure/emit.ts';
import { entryName } from '../closure/emit-format.ts';
import { type CaptureReport, reportOf } from '../closure/explain.ts';
import type { CapturedClosure } from '../closure/graph.ts';
import { secretsOption } from '../closure/options.ts';
import { resolveOptions } from '../util/options.ts';
import { bundlePackages } from './package-bundle.ts';
import { type BundleFile, digestOf, writeHashed } from './write-files.ts';

/** An immutable folder made of a closure, ready to run in a replica. */
export interface StoredBundle {
  /** Absolute. */
  readonly dir: string;
  /** Absolute path of an ES module whose default export is the restored function. */
  readonly entry: string;
  /** SHA-256 of the bundle's contents, in hex: the same closure always has the same. */
  readonly digest: string;
  readonly files: readonly BundleFile[];
}

/** A bundle together with what is known of the closure. */
export interface Bundle extends StoredBundle {
  /** What was captured, and how. */
  readonly captured: CaptureReport;
}

/** Whether the function takes a batch of inputs or one input. */
export type Takes = 'batch' | 'one';

const BundleOptions = z.strictObject({
  outDir: z.string().min(1).describe('The folder to write the bundle to; made where there is none.'),
  secrets: secretsOption,
});
export type BundleOptions = z.input<typeof BundleOptions>;

const manifestName = 'manifest.json';

/**
 * Captures a function with all it closes over and writes it to a folder, from which any Node of the same major version
 * can import it. Throws E_NOT_CAPTURABLE with the path to what can't travel, and E_BUNDLE_FAILED for packages that
 * can't be bundled.
 */
export async function bundleClosure(fn: Function, options: BundleOptions): Promise<Bundle> {
  const { outDir, secrets } = resolveOptions(BundleOptions, options, 'bundleClosure');
  const captured = await captureClosure(fn, { secrets });
  // First, as nodes are changed while they are written.
  const report = reportOf(captured, []);
  return { ...(await writeBundle(captured, { dir: resolve(outDir), takes: 'batch' })), captured: report };
}

/** Writes a bundle into a store of bundles, each in a folder named by its digest; one that is there is left as it is. */
export async function storeBundle(
  captured: CapturedClosure,
  { storeDir, takes, signal }: { storeDir: string; takes: Takes; signal?: AbortSignal | undefined },
): Promise<StoredBundle> {
  const draft = join(storeDir, `.draft-${randomUUID()}`);
  try {
    const bundle = await writeBundle(captured, { dir: draft, takes, signal });
    const dir = join(storeDir, bundle.digest);
    // Another deploy of the same closure may have got there first.
    if (!existsSync(dir)) await rename(draft, dir).catch((error: unknown) => existsSync(dir) || Promise.reject(error));
    return { ...bundle, dir, entry: join(dir, entryName) };
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function writeBundle(
  captured: CapturedClosure,
  { dir, takes, signal }: { dir: string; takes: Takes; signal?: AbortSignal | undefined },
): Promise<StoredBundle> {
  const { files: code, assets, packages } = emitClosure(captured);
  await removeOldBundle(dir);
  await mkdir(dir, { recursive: true });
  const packed = packages.length === 0 ? undefined : bundlePackages(packages, captured.projectDir);
  const files: BundleFile[] = [];
  for (const { name, text } of code) files.push(await writeHashed(dir, name, Buffer.from(text), signal));
  for (const { name, bytes } of assets) files.push(await writeHashed(dir, `assets/${name}`, bytes, signal));
  if (packed !== undefined) files.push(await writeHashed(dir, 'modules.cjs', await packed, signal));
  signal?.throwIfAborted();
  const digest = digestOf(files, [takes]);
  const manifest = { format: 1, digest, entry: entryName, takes, node: process.versions.node, files };
  await writeFile(join(dir, manifestName), `${JSON.stringify(manifest, undefined, 2)}\n`);
  return { dir, entry: join(dir, entryName), digest, files };
}

/** Takes away what an earlier bundle left in the folder, and nothing else. */
async function removeOldBundle(dir: string): Promise<void> {
  const manifest = await readFile(join(dir, manifestName), 'utf8').catch(() => undefined);
  if (manifest === undefined) return;
  const { files = [] } = JSON.parse(manifest) as { files?: readonly BundleFile[] };
  for (const { path } of files) await rm(join(dir, path), { force: true });
}
