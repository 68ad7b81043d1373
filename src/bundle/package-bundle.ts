import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type BuildFailure, type BuildOptions, build, type Plugin } from 'esbuild';
import { LRUCache } from 'lru-cache';
import type { PackageImport } from '../closure/emit-modules.ts';
import { ClipperError, messageOf } from '../errors.ts';

const namespace = 'clipper';

/** A result with the files that it was made of, as they were then. */
interface Made {
  readonly contents: Uint8Array;
  readonly stamps: readonly string[];
  readonly files: readonly string[];
}

/** The next version of a model mostly uses the same packages, and bundling them is most of a deploy's work here. */
const made = new LRUCache<string, Made>({ max: 16 });

/**
 * Bundles what a closure takes from packages into one CommonJS module, resolved as Node resolved it in the process:
 * from the folder of the importing file, and CommonJS modules by the very file. Throws E_BUNDLE_FAILED.
 */
export async function bundlePackages(packages: readonly PackageImport[], projectDir: string): Promise<Uint8Array> {
  const key = JSON.stringify([packages, projectDir]);
  const known = made.get(key);
  if (known !== undefined && String(await stampsOf(known.files)) === String(known.stamps)) return known.contents;
  const { outputFiles, metafile } = await runEsbuild(packages, projectDir);
  const contents = outputFiles[0]?.contents ?? new Uint8Array();
  const files = Object.keys(metafile.inputs)
    .filter((path) => !path.startsWith(`${namespace}:`) && path !== '<stdin>')
    .map((path) => resolve(projectDir, path));
  made.set(key, { contents, files, stamps: await stampsOf(files) });
  return contents;
}

/** When each file was written, and how large it is. */
const stampsOf = (files: readonly string[]): Promise<readonly string[]> =>
  Promise.all(files.map((file) => stat(file).then(({ mtimeMs, size }) => `${mtimeMs} ${size}`, messageOf)));

async function runEsbuild(packages: readonly PackageImport[], projectDir: string) {
  try {
    const contents = packages.map((_, index) => `export * from "${namespace}:${index}";`).join('\n');
    const stdin = { contents, resolveDir: projectDir };
    return await build({ ...settings, stdin, absWorkingDir: projectDir, plugins: [importsOf(packages), insidesOf(packages)] });
  } catch (error) {
    throw new ClipperError('E_BUNDLE_FAILED', `The packages that the function uses can't be bundled:\n${reasons(error)}`, {
      cause: error,
    });
  }
}

const settings = {
  bundle: true,
  write: false,
  metafile: true,
  platform: 'node',
  target: `node${process.versions.node.split('.')[0]}`,
  // CommonJS keeps sloppy packages sloppy, and gives them `require` and `__dirname`.
  format: 'cjs',
  // No conditions of the bundler's own: a package must be the same copy that Node loaded.
  conditions: [],
  mainFields: ['main'],
  banner: { js: 'const __clipperInsides = {}, __clipperUrl = require("node:url").pathToFileURL(__filename).href;' },
  define: { 'import.meta.url': '__clipperUrl' },
  // Some packages look at the names of their classes, which a bundler may change.
  keepNames: true,
  legalComments: 'none',
  logLevel: 'silent',
} satisfies BuildOptions;

/** One virtual module for each import, so that each is resolved from its own folder. */
const importsOf = (packages: readonly PackageImport[]): Plugin => ({
  name: 'captured-imports',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^${namespace}:`) }, ({ path }) => ({ path: path.slice(namespace.length + 1), namespace }));
    onLoad({ filter: /.*/, namespace }, ({ path }) => {
      const wanted = packages[Number(path)];
      if (wanted === undefined) return undefined;
      return {
        contents: exportStatement(wanted),
        resolveDir: wanted.source.type === 'import' ? wanted.source.from : '/',
        loader: 'js',
      };
    });
  },
});

/** Lets the top-level variables of some modules out, which those keep to themselves. */
const insidesOf = (packages: readonly PackageImport[]): Plugin => ({
  name: 'captured-insides',
  setup({ onLoad }) {
    const insides = new Map<string, { isModule: boolean; names: Set<string> }>();
    for (const { source, member } of packages) {
      if (source.type !== 'inside') continue;
      const { names } = insides.get(source.file) ?? { names: new Set() };
      insides.set(source.file, { isModule: source.isModule, names: names.add(member[0] ?? '') });
    }
    for (const [file, { isModule, names }] of insides) {
      const getters = [...names].map((name) => `get ${name}() { return ${name}; }`);
      const target = isModule ? `export const ${insideName(file)}` : `__clipperInsides[${JSON.stringify(file)}]`;
      onLoad({ filter: exactly(file) }, async () => {
        const contents = `${await readFile(file, 'utf8')}\n;${target} = { ${getters.join(', ')} };`;
        return { contents, loader: 'default', resolveDir: dirname(file) };
      });
    }
  },
});

const exactly = (path: string): RegExp => new RegExp(`^${path.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`);

/** The name under which an ES module lets its variables out; modules that export each other's names must differ in it. */
const insideName = (file: string): string => `__clipperInside${createHash('sha256').update(file).digest('hex').slice(0, 12)}`;

function exportStatement({ name, source, member }: PackageImport): string {
  if (source.type === 'inside') {
    const [variable] = member;
    if (!source.isModule) {
      const file = JSON.stringify(source.file);
      return `export const ${name} = (require(${file}), __clipperInsides[${file}].${variable});`;
    }
    const inside = insideName(source.file);
    return `import { ${inside} } from ${JSON.stringify(source.file)};\nexport const ${name} = ${inside}.${variable};`;
  }
  if (source.type === 'require') {
    const keys = member.map((key) => `[${JSON.stringify(key)}]`).join('');
    return `export const ${name} = require(${JSON.stringify(source.file)})${keys};`;
  }
  const specifier = JSON.stringify(source.specifier);
  const [imported, ...rest] = member;
  if (imported === undefined) return `export * as ${name} from ${specifier};`;
  if (rest.length === 0) return `export { ${imported} as ${name} } from ${specifier};`;
  const keys = rest.map((key) => `[${JSON.stringify(key)}]`).join('');
  return `import { ${imported} as imported } from ${specifier};\nexport const ${name} = imported${keys};`;
}

function reasons(error: unknown): string {
  const { errors } = error as Partial<BuildFailure>;
  if (errors === undefined) return messageOf(error);
  return errors
    .slice(0, 5)
    .map(({ text, location }) => {
      const hint = text.includes('.node"') ? '. Native addons can not be bundled' : '';
      return `  ${text}${location === null ? '' : ` (${location.file}:${location.line})`}${hint}`;
    })
    .join('\n');
}
