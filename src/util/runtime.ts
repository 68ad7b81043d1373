import { ClipperError, type ClipperErrorOptions, messageOf } from '../errors.ts';
import { isInOwnFolder } from './package-files.ts';

/** Throws E_UNSUPPORTED_RUNTIME unless this is a supported version of Node.js, and our code runs from our own folder. */
export function checkRuntime(): void {
  const { bun, deno, node } = process.versions;
  const other = bun !== undefined ? `Bun ${bun}` : deno !== undefined ? `Deno ${deno}` : undefined;
  if (other !== undefined) {
    throw unsupported(`This process is ${other}. clipper-ts needs Node.js, through whose inspector it reads functions`, {
      fix: 'run the program with `node file.js`, or with `npx tsx file.ts` for TypeScript',
    });
  }
  if (typeof process.getBuiltinModule !== 'function') {
    throw unsupported(`This process is Node.js ${node}. clipper-ts needs Node.js 20.16, 22.3 or later`, {
      fix: 'install Node.js 24',
    });
  }
  if (!isInOwnFolder) {
    throw unsupported('clipper-ts was bundled into your program, apart from the files that it starts servers and replicas from', {
      fix: 'keep it external: `--external:clipper-ts` or `--packages=external` of esbuild, `external` of Rollup and Vite',
    });
  }
}

export const unsupported = (message: string, options?: ClipperErrorOptions): ClipperError =>
  new ClipperError('E_UNSUPPORTED_RUNTIME', message, options);

/** The error for a package whose native add-on can't be loaded. */
export const addonError = (cause: unknown): ClipperError =>
  unsupported(
    `A package with an add-on can't be loaded by Node.js ${process.versions.node} on ${process.platform} ${process.arch}: ${messageOf(cause)}`,
    {
      fix:
        'run `npm ci` or `npm install` on the system that the program runs on; a `node_modules` of another system, such as one ' +
        'with glibc for Alpine Linux, lacks its binaries. Under the permission model, start Node with --allow-addons',
      cause,
    },
  );
