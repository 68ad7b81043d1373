import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { ClipperError } from '../errors.ts';

const cliPath = join('npm', 'bin', 'npm-cli.js');

/** Returns the npm that belongs to the running Node, or else the one on PATH. */
function findNpm(): string | undefined {
  const node = process.execPath;
  const beside = [node, existsSync(node) ? realpathSync(node) : node].map((file) => dirname(file));
  const inPath = (process.env.PATH ?? '').split(delimiter).filter((dir) => dir !== '' && existsSync(join(dir, 'npm')));
  for (const dir of [...beside, ...inPath]) {
    const places = [join(dir, '..', 'lib', 'node_modules', cliPath), join(dir, 'node_modules', cliPath)];
    const found = places.find((file) => existsSync(file));
    if (found !== undefined) return found;
    const program = join(dir, 'npm');
    // Distributions install npm elsewhere and link to it.
    if (existsSync(program) && realpathSync(program).endsWith('npm-cli.js')) return realpathSync(program);
  }
  return undefined;
}

/**
 * Settings inherited from an npm that runs this process. They could point the npm started here to another folder, or keep it
 * from installing.
 */
const misleading =
  /^npm_config_(?:dry_run|global|include_workspace_root|json|local_prefix|location|package_lock_only|workspaces?)$/i;

const tailLength = 3_000;

/**
 * Runs npm in a folder. If the signal aborts, kills npm and throws the signal's reason. Throws E_BUNDLE_FAILED if npm fails.
 */
export async function runNpm(args: readonly string[], cwd: string, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const npm = findNpm();
  if (npm === undefined) {
    const message = `Packages are to be installed, and no npm is found beside ${process.execPath} or on PATH`;
    throw new ClipperError('E_BUNDLE_FAILED', message, { fix: 'install npm, or install the packages in your project' });
  }
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !misleading.test(name)));
  const child = spawn(process.execPath, [npm, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
  const kill = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', kill);
  process.once('exit', kill);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = `${output}${text}`.slice(-tailLength);
    });
  }
  try {
    const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
    signal?.throwIfAborted();
    if (code !== 0) throw failureOf(output, code);
  } finally {
    signal?.removeEventListener('abort', kill);
    process.off('exit', kill);
  }
}

function failureOf(output: string, code: number | null): ClipperError {
  const lines = output.trimEnd().split('\n');
  const tail = lines.filter((line) => !line.includes('A complete log of this run')).map((line) => `  ${line}`);
  const fix = 'check the names and versions in `packages`, and that npm reaches your registry: npm view <package>';
  const message = `npm could not install the packages (exit code ${code}):\n${tail.join('\n')}`;
  return new ClipperError('E_BUNDLE_FAILED', message, { fix });
}
