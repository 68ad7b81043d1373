import { createHash } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { copyFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { temporaryDir } from '../util/state-dir.ts';
import type { LockedPackage } from './npm-lock.ts';
import { runNpm } from './npm-program.ts';
import { type BundleTarget, npmFlags } from './target.ts';

/** What npm is to install. */
export interface InstallRequest {
  /** Versions, ranges or tags by name. */
  readonly dependencies: Readonly<Record<string, string>>;
  /** Versions of transitive dependencies, if no lock file pins them. */
  readonly overrides: Readonly<Record<string, string>>;
  readonly locked: Readonly<Record<string, LockedPackage>> | undefined;
  readonly projectDir: string;
  readonly target: BundleTarget;
}

interface Install {
  readonly dir: Promise<string>;
  readonly signal: AbortSignal | undefined;
}

/** Installs are reused for further bundles until this process exits. */
const installs = new Map<string, Install>();

const folders = new Set<string>();

function removeFolders(): void {
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
}

/**
 * Installs packages in a temporary folder, once per request, and returns its path. Throws E_BUNDLE_FAILED, or the signal's
 * reason if it aborts.
 */
export async function installOnce(request: InstallRequest, signal: AbortSignal | undefined): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify(request)).digest('hex');
  for (;;) {
    const running = installs.get(key);
    if (running === undefined) return start(key, request, signal);
    try {
      return await unlessAborted(running.dir, signal);
    } catch (error) {
      // Another bundle with the same request was cancelled, and the install with it.
      if (signal?.aborted === true || running.signal?.aborted !== true) throw error;
    }
  }
}

function start(key: string, request: InstallRequest, signal: AbortSignal | undefined): Promise<string> {
  const dir = install(request, signal);
  installs.set(key, { dir, signal });
  dir.catch(() => installs.delete(key));
  return dir;
}

/** Settles like the promise, or rejects with the signal's reason if that comes first. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort);
  });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', abort));
}

async function install(request: InstallRequest, signal: AbortSignal | undefined): Promise<string> {
  const dir = await realpath((await temporaryDir('packages')).path);
  // Remove the listener first, since it may already be registered.
  process.off('exit', removeFolders).once('exit', removeFolders);
  folders.add(dir);
  try {
    const npmrc = findNpmrc(request.projectDir);
    // Link instead of copying: the file may hold a token, and a copy might be left behind.
    if (npmrc !== undefined) await symlink(npmrc, join(dir, '.npmrc')).catch(() => copyFile(npmrc, join(dir, '.npmrc')));
    await writeProject(dir, request);
    await runNpm(['install', ...flags, ...npmFlags(request.target)], dir, signal);
    await rm(join(dir, '.npmrc'), { force: true });
    return dir;
  } catch (error) {
    await rm(dir, { recursive: true, force: true, maxRetries: 3 });
    folders.delete(dir);
    throw error;
  }
}

// Override the user's .npmrc: without a lock file, or in another layout, npm would install other packages.
const flags = [
  '--ignore-scripts',
  '--omit=dev',
  '--include=optional',
  '--no-audit',
  '--no-fund',
  '--no-progress',
  '--no-update-notifier',
  '--color=false',
  '--loglevel=error',
  '--package-lock',
  '--install-strategy=hoisted',
];

/** Finds the nearest .npmrc of a project. npm itself reads the one in the home directory. */
function findNpmrc(projectDir: string): string | undefined {
  for (let dir = projectDir; dir !== homedir(); dir = dirname(dir)) {
    const file = join(dir, '.npmrc');
    if (existsSync(file)) return file;
    if (dir === dirname(dir)) return undefined;
  }
  return undefined;
}

async function writeProject(dir: string, { dependencies, overrides, locked }: InstallRequest): Promise<void> {
  const project = { name: 'packages', version: '0.0.0', dependencies };
  const write = (name: string, json: object): Promise<void> => writeFile(join(dir, name), JSON.stringify(json));
  await write('package.json', { ...project, private: true, overrides });
  if (locked === undefined) return;
  const packages = { '': project, ...locked };
  await write('package-lock.json', { name: 'packages', version: '0.0.0', lockfileVersion: 3, requires: true, packages });
}
