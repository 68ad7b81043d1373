import { type BuildFailure, build, type Plugin } from 'esbuild';
import type { PackageImport } from '../closure/emit-modules.ts';
import { ClipperError, messageOf } from '../errors.ts';

const namespace = 'clipper';

/**
 * Bundles what a closure takes from packages into one CommonJS module, resolved as Node resolved it in the process:
 * from the folder of the importing file, and CommonJS modules by the very file. Throws E_BUNDLE_FAILED.
 */
export async function bundlePackages(packages: readonly PackageImport[], projectDir: string): Promise<Uint8Array> {
  try {
    const { outputFiles } = await build({
      stdin: {
        contents: packages.map((_, index) => `export * from "${namespace}:${index}";`).join('\n'),
        resolveDir: projectDir,
      },
      absWorkingDir: projectDir,
      bundle: true,
      write: false,
      platform: 'node',
      target: `node${process.versions.node.split('.')[0]}`,
      // CommonJS keeps sloppy packages sloppy, and gives them `require` and `__dirname`.
      format: 'cjs',
      // No conditions of the bundler's own: a package must be the same copy that Node loaded.
      conditions: [],
      mainFields: ['main'],
      banner: { js: 'const __clipperUrl = require("node:url").pathToFileURL(__filename).href;' },
      define: { 'import.meta.url': '__clipperUrl' },
      // Some packages look at the names of their classes, which a bundler may change.
      keepNames: true,
      legalComments: 'none',
      logLevel: 'silent',
      plugins: [importsOf(packages)],
    });
    return outputFiles[0]?.contents ?? new Uint8Array();
  } catch (error) {
    throw new ClipperError('E_BUNDLE_FAILED', `The packages that the function uses can't be bundled:\n${reasons(error)}`, {
      cause: error,
    });
  }
}

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

function exportStatement({ name, source, member }: PackageImport): string {
  if (source.type === 'require') {
    const keys = member.map((key) => `[${JSON.stringify(key)}]`).join('');
    return `export const ${name} = require(${JSON.stringify(source.file)})${keys};`;
  }
  const specifier = JSON.stringify(source.specifier);
  const [imported] = member;
  return imported === undefined
    ? `export * as ${name} from ${specifier};`
    : `export { ${imported} as ${name} } from ${specifier};`;
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
