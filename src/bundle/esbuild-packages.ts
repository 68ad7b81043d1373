import { type BuildFailure, type BuildOptions, build, type Message, type Metafile, type Plugin } from 'esbuild';
import type { PackageImport } from '../closure/emit/modules.ts';
import type { LoadedFile } from '../closure/graph/closure.ts';
import { insideFunction, insidesOf, insideVariable } from './module-insides.ts';
import type { KeptPackages } from './package-dirs.ts';

const namespace = 'clipper';
const keptPrefix = 'clipper-kept:';
const evaluatedPrefix = 'clipper-evaluated:';

/** An import by a bundled module from a package that is kept as files. */
export interface KeptImport {
  readonly file: string;
  readonly importer: string;
  readonly kind: string;
}

/** Something that a closure uses from a package that is kept as files. */
export interface KeptMember extends PackageImport {
  readonly file: string;
}

/** The result of a build. `text` is undefined if it failed. */
export interface PackageBuild {
  readonly text: string | undefined;
  readonly errors: readonly Message[];
  readonly warnings: readonly Message[];
  readonly inputs: Metafile['inputs'];
  readonly keptImports: readonly KeptImport[];
  readonly keptMembers: readonly KeptMember[];
}

export interface BuildRequest {
  readonly packages: readonly PackageImport[];
  readonly evaluated: readonly LoadedFile[];
  readonly projectDir: string;
  readonly kept: KeptPackages;
}

/** What a build collects along the way. */
interface Findings {
  readonly imports: KeptImport[];
  readonly members: KeptMember[];
}

/** Bundles what a closure uses from packages, except those that are kept as files. */
export async function buildPackages(request: BuildRequest): Promise<PackageBuild> {
  const { packages, evaluated, projectDir, kept } = request;
  const found: Findings = { imports: [], members: [] };
  // As in the process: each entry before what it loads, and with all side effects of evaluating the modules.
  const first = evaluated.flatMap(({ file }, index) => (kept.has(file) ? [] : [`import "${evaluatedPrefix}${index}";`]));
  const contents = [...first, ...packages.map((_, index) => `export * from "${namespace}:${index}";`)].join('\n');
  const bundled = packages.filter(({ source }) => source.type !== 'inside' || !kept.has(source.file));
  const plugins = [importsOf(request, found), insidesOf(bundled), keptFilesOf(kept, found)];
  const common = { keptImports: found.imports, keptMembers: found.members };
  try {
    const stdin = { contents, resolveDir: projectDir };
    const { outputFiles, metafile, warnings } = await build({ ...settings, stdin, absWorkingDir: projectDir, plugins });
    found.members.sort((a, b) => (a.name < b.name ? -1 : 1));
    return { text: outputFiles[0]?.text ?? '', errors: [], warnings, inputs: metafile.inputs, ...common };
  } catch (error) {
    const { errors, warnings } = error as Partial<BuildFailure>;
    if (errors === undefined) throw error;
    return { text: undefined, errors, warnings: warnings ?? [], inputs: {}, ...common };
  }
}

/** Fills the paths of kept files into the text of a build that imports them. */
export const placeKeptFiles = (text: string, imports: readonly KeptImport[], place: (file: string) => string): string =>
  text.replace(new RegExp(`"${keptPrefix}(\\d+)"`, 'g'), (_, index: string) =>
    JSON.stringify(`./${place(imports[Number(index)]?.file ?? '')}`),
  );

/** Whether esbuild warned about a `require` or `import` with a computed name. */
export const isComputedLoad = ({ id }: Message): boolean =>
  id === 'unsupported-require-call' || id === 'unsupported-dynamic-import';

/** Whether an input of a build is a file and not a virtual module. */
export const isFileInput = (path: string): boolean => !path.startsWith(`${namespace}:`) && path !== '<stdin>';

const settings = {
  bundle: true,
  write: false,
  metafile: true,
  platform: 'node',
  target: `node${process.versions.node.split('.')[0]}`,
  // CommonJS keeps sloppy packages sloppy, and gives them `require` and `__dirname`.
  format: 'cjs',
  // No bundler-specific conditions: a package must resolve to the copy that Node loaded.
  conditions: [],
  mainFields: ['main'],
  banner: { js: 'const __clipperInsides = {}, __clipperUrl = require("node:url").pathToFileURL(__filename).href;' },
  define: { 'import.meta.url': '__clipperUrl' },
  // A package with an addon is kept as files, but which package that is isn't known until after the build.
  loader: { '.node': 'empty' },
  // Some packages read the names of their classes, which a bundler may change.
  keepNames: true,
  legalComments: 'none',
  logLevel: 'silent',
  logOverride: { 'unsupported-require-call': 'warning', 'unsupported-dynamic-import': 'warning' },
} satisfies BuildOptions;

/** Creates a virtual module per import, so that each resolves from its own folder. For a kept package it is empty. */
const importsOf = ({ packages, evaluated, kept }: BuildRequest, { members }: Findings): Plugin => ({
  name: 'captured-imports',
  setup({ onResolve, onLoad, resolve }) {
    const fileOf = async ({ source }: PackageImport): Promise<string> =>
      source.type === 'import'
        ? (await resolve(source.specifier, { kind: 'import-statement', resolveDir: source.from, pluginData: asIs })).path
        : source.file;
    // Resolving these here ignores a package's `sideEffects: false`, so that the modules are evaluated anyway.
    onResolve({ filter: new RegExp(`^${evaluatedPrefix}`) }, ({ path }) => ({
      path: evaluated[Number(path.slice(evaluatedPrefix.length))]?.file ?? '',
    }));
    onResolve({ filter: new RegExp(`^${namespace}:`) }, ({ path }) => ({ path: path.slice(namespace.length + 1), namespace }));
    onLoad({ filter: /.*/, namespace }, async ({ path }) => {
      const wanted = packages[Number(path)];
      if (wanted === undefined) return undefined;
      const resolveDir = wanted.source.type === 'import' ? wanted.source.from : '/';
      const file = kept.size === 0 ? undefined : await fileOf(wanted);
      if (file === undefined || !kept.has(file)) return { contents: exportStatement(wanted), resolveDir };
      members.push({ ...wanted, file });
      return { contents: 'export {};' };
    });
  },
});

/** Marks imports that esbuild itself should resolve. */
const asIs = Symbol('as is');

/** Leaves the files of kept packages out of the bundle, under names that `placeKeptFiles` recognizes. */
const keptFilesOf = (kept: KeptPackages, { imports }: Findings): Plugin => ({
  name: 'kept-files',
  setup({ onResolve, resolve }) {
    // Intercepting every import takes time.
    if (kept.size === 0) return;
    onResolve({ filter: /.*/, namespace: 'file' }, async ({ path, pluginData, ...args }) => {
      if (pluginData === asIs) return undefined;
      const resolved = await resolve(path, { ...args, pluginData: asIs });
      if (resolved.errors.length > 0 || resolved.external || !kept.has(resolved.path)) return undefined;
      imports.push({ file: resolved.path, importer: args.importer, kind: args.kind });
      return { path: `${keptPrefix}${imports.length - 1}`, external: true };
    });
  },
});

function exportStatement({ name, source, member }: PackageImport): string {
  if (source.type === 'inside') {
    const file = JSON.stringify(source.file);
    const keys = member.map((key) => `[${JSON.stringify(key)}]`).join('');
    const inFunction = source.at === undefined ? undefined : insideFunction(source.file, source.at, member);
    if (!source.isModule) {
      return `export const ${name} = (require(${file}), ${inFunction ?? `__clipperInsides[${file}]${keys}`});`;
    }
    if (inFunction !== undefined) return `import ${file};\nexport const ${name} = ${inFunction};`;
    const inside = insideVariable(source.file);
    return `import { ${inside} } from ${file};\nexport const ${name} = ${inside}${keys};`;
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
