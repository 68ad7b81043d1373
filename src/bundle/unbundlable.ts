import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, isAbsolute, join, parse, resolve } from 'node:path';
import type { Metafile } from 'esbuild';
import { isComputedLoad, isFileInput, type PackageBuild } from './esbuild-packages.ts';
import { hasBinaries, variantsOf } from './native-binaries.ts';
import { packageDirOf } from './package-dirs.ts';

/** What nft finds in a module's text. Its types don't describe the contents of its cache. */
interface Analysis {
  /** Files that are referenced by path and not by `require` or `import`. */
  readonly assets: ReadonlySet<string>;
  /** Specifiers. Computed names appear as absolute file paths. */
  readonly deps: ReadonlySet<string>;
  readonly imports: ReadonlySet<string>;
}

/** Matches what lets a module reach files other than its imports. Most modules without a match needn't be parsed again. */
const hints = /\b(?:__dirname|__filename|import\.meta\.(?:url|dirname|filename|resolve)|createRequire)\b/;

/** Whether a package loads the addons of the packages that use it. */
const isAddonLoader = (name: string): boolean => /^(?:bindings|(?:@[^/]+\/)?node-(?:gyp-build|pre-gyp)[^/]*)$/.test(name);

/** A module of a package that may need files next to it. */
interface Suspect {
  readonly file: string;
  readonly text: string;
  /** The specifiers that are bundled. */
  readonly bundled: ReadonlySet<string>;
}

/** Returns modules of a build whose packages can't be bundled because of what their code does. */
export async function unbundlableFiles({ inputs, warnings }: PackageBuild, projectDir: string): Promise<readonly string[]> {
  const computed = new Set(warnings.filter(isComputedLoad).map(({ location }) => location?.file));
  const found: string[] = [];
  const suspects: Suspect[] = [];
  const look = async ([path, { imports }]: [string, Metafile['inputs'][string]]): Promise<void> => {
    const file = resolve(projectDir, path);
    const dir = packageDirOf(file, projectDir);
    if (dir === undefined) return;
    if (path.endsWith('.node') || imports.some((each) => each.path.endsWith('.node'))) found.push(file);
    const names = imports.map((each) => each.original ?? each.path);
    const loadsAddon = computed.has(path) ? variantsOf(dir).length > 0 : names.some(isAddonLoader) && hasBinaries(dir);
    if (loadsAddon) found.push(file);
    const text = await readFile(file, 'utf8');
    // `require.resolve` doesn't bundle anything, and neither does a glob pattern.
    const bundled = imports.filter((each) => each.kind !== 'require-resolve' && !each.path.includes('*'));
    const isSuspect = computed.has(path) || bundled.length < imports.length || hints.test(text);
    if (isSuspect) suspects.push({ file, text, bundled: new Set(bundled.map((each) => each.original ?? each.path)) });
  };
  await Promise.all(
    Object.entries(inputs)
      .filter(([path]) => isFileInput(path))
      .map(look),
  );
  const analyses = suspects.length === 0 ? undefined : await analyse(suspects, projectDir);
  return [...found, ...suspects.filter((each) => needsFiles(each, analyses?.get(each.file))).map(({ file }) => file)];
}

/**
 * Returns the data files next to a module that it names and has a way to reach. Emscripten, for example, joins the name of a
 * wasm file and the folder in a way that static analysis can't follow.
 */
export function namedFiles(file: string, text: string): readonly string[] {
  if (!hints.test(text)) return [];
  const dir = dirname(file);
  const isData = (name: string): boolean => /\.(?!(?:[cm]?[jt]sx?|json|map|md|node)$)\w+$/.test(name);
  const isNamed = (name: string): boolean => ['"', "'", '`'].some((quote) => text.includes(`${name}${quote}`));
  return readdirSync(dir)
    .filter((name) => isData(name) && isNamed(name))
    .map((name) => join(dir, name));
}

async function analyse(suspects: readonly Suspect[], projectDir: string): Promise<ReadonlyMap<string, Analysis>> {
  // Loaded lazily: few packages need it, and loading it takes longer than bundling most packages.
  const { nodeFileTrace } = await import('@vercel/nft');
  const cache: { analysisCache?: Map<string, Analysis> } = {};
  const files = suspects.map(({ file }) => file);
  await nodeFileTrace(files, { base: parse(projectDir).root, processCwd: projectDir, depth: 1, cache });
  return cache.analysisCache ?? new Map();
}

function needsFiles({ file, text, bundled }: Suspect, analysis: Analysis | undefined): boolean {
  if (analysis === undefined) return false;
  const { assets, deps, imports } = analysis;
  if (namedFiles(file, text).length > 0) return true;
  // A module that refers to its own file mostly does so for `createRequire`.
  const runsItself = /\b(?:Worker|fork)\s*\(/.test(text);
  if ([...assets].some((asset) => asset !== file || runsItself)) return true;
  const { resolve: find } = createRequire(file);
  return [...deps, ...imports].some((name) => {
    if (isAbsolute(name)) return true;
    if (bundled.has(name) || isBuiltin(name)) return false;
    try {
      return isAbsolute(find(name));
    } catch {
      return false;
    }
  });
}
