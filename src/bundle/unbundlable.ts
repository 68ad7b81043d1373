import { readFile } from 'node:fs/promises';
import { createRequire, isBuiltin } from 'node:module';
import { isAbsolute, parse, resolve } from 'node:path';
import type { Metafile } from 'esbuild';
import { isFileInput } from './esbuild-packages.ts';
import { variantsOf } from './native-binaries.ts';
import { packageDirOf } from './package-dirs.ts';

/** What nft finds in the text of a module; its types leave the contents of its cache open. */
interface Analysis {
  /** Files that are reached by a path, and not by `require` or `import`. */
  readonly assets: ReadonlySet<string>;
  /** Specifiers; those of computed names are absolute files. */
  readonly deps: ReadonlySet<string>;
  readonly imports: ReadonlySet<string>;
}

/** Without any of these a module needs nothing beside what it imports by name. */
const computed = /\b(?:require(?:\.resolve)?|import)\s*\(\s*(?!(["'])[^"'\n]*\1\s*[,)])/;
const hints = new RegExp(
  `\\b(?:__dirname|__filename|import\\.meta|createRequire|bindings|node-gyp-build|node-pre-gyp)\\b|${computed.source}`,
);

/** Modules of a build whose packages can't be bundled, by what their texts do. */
export async function unbundlableFiles(inputs: Metafile['inputs'], projectDir: string): Promise<readonly string[]> {
  const found: string[] = [];
  const suspects: { file: string; text: string; seen: ReadonlySet<string> }[] = [];
  const look = async ([path, { imports }]: [string, Metafile['inputs'][string]]): Promise<void> => {
    const file = resolve(projectDir, path);
    const dir = packageDirOf(file, projectDir);
    if (dir === undefined) return;
    if (path.endsWith('.node') || imports.some((each) => each.path.endsWith('.node'))) found.push(file);
    const text = await readFile(file, 'utf8');
    if (!hints.test(text)) return;
    if (computed.test(text) && variantsOf(dir).length > 0) found.push(file);
    // What is only resolved isn't bundled.
    const bundled = imports.filter(({ kind }) => kind !== 'require-resolve');
    suspects.push({ file, text, seen: new Set(bundled.map((each) => each.original ?? each.path)) });
  };
  await Promise.all(
    Object.entries(inputs)
      .filter(([path]) => isFileInput(path))
      .map(look),
  );
  if (suspects.length > 0) {
    const analyses = await analyse(
      suspects.map(({ file }) => file),
      projectDir,
    );
    for (const { file, text, seen } of suspects) {
      const analysis = analyses.get(file);
      if (analysis !== undefined && needsFiles(analysis, { file, text, seen })) found.push(file);
    }
  }
  return found;
}

async function analyse(files: string[], projectDir: string): Promise<ReadonlyMap<string, Analysis>> {
  // Few packages need it, and to load it takes longer than to bundle most.
  const { nodeFileTrace } = await import('@vercel/nft');
  const cache: { analysisCache?: Map<string, Analysis> } = {};
  await nodeFileTrace(files, { base: parse(projectDir).root, processCwd: projectDir, depth: 1, cache });
  return cache.analysisCache ?? new Map();
}

function needsFiles(
  { assets, deps, imports }: Analysis,
  { file, text, seen }: { file: string; text: string; seen: ReadonlySet<string> },
): boolean {
  // A module that names itself mostly does it for `createRequire`.
  const runsItself = /\b(?:Worker|fork)\s*\(/.test(text);
  if ([...assets].some((asset) => asset !== file || runsItself)) return true;
  const { resolve: find } = createRequire(file);
  return [...deps, ...imports].some((name) => {
    if (isAbsolute(name)) return true;
    if (seen.has(name) || isBuiltin(name)) return false;
    try {
      return isAbsolute(find(name));
    } catch {
      return false;
    }
  });
}
