import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import { stampsOf } from '../../util/file-stamps.ts';
import { packageVersion, stateProgram } from '../../util/package-files.ts';
import type { CaptureWatch } from '../capture/options.ts';
import type { LoadedFile } from '../graph/closure.ts';
import { packageNameOf } from '../heap/package-members.ts';
import type { Snapshot } from './snapshot.ts';

/** In milliseconds. No package takes longer to load. */
const longestMs = 60_000;

const mostKept = 50;

/** By files. The files of loaded packages are assumed not to change while the process runs. */
const snapshots = new LRUCache<string, Promise<Snapshot>>({ max: 32 });

/**
 * Returns the state of packages' modules right after loading. Loading may take long, so the result is cached for other
 * processes too. Rejects if the modules can't be loaded a second time.
 */
export async function freshState(files: readonly LoadedFile[], watch: CaptureWatch): Promise<Snapshot> {
  const key = JSON.stringify(files);
  const found = snapshots.get(key) ?? kept(files, watch);
  snapshots.set(key, found);
  try {
    return await found;
  } catch (error) {
    snapshots.delete(key);
    throw error;
  }
}

async function kept(files: readonly LoadedFile[], { signal, onProgress }: CaptureWatch): Promise<Snapshot> {
  const dir = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'clipper-ts', 'packages');
  const file = join(dir, `${await fingerprint(files)}.json`);
  const known = await readKept(file);
  if (known !== undefined) return known;
  const names = new Set(files.map((each) => packageNameOf(each.file)));
  onProgress?.(
    `loading ${[...names].slice(0, 5).join(', ')}${names.size > 5 ? ', …' : ''} afresh, to see what was changed of it`,
  );
  const written = await loadAfresh(JSON.stringify(files), signal);
  const snapshot = JSON.parse(written) as Snapshot;
  await keep(dir, file, snapshot).catch(() => {});
  return snapshot;
}

/** A result that another process cached for the same files, with stamps of all files that the modules load. */
interface Kept {
  readonly stamps: readonly string[];
  readonly snapshot: Snapshot;
}

const stampsIn = ({ modules }: Snapshot): Promise<readonly string[]> => stampsOf(Object.keys(modules));

async function readKept(file: string): Promise<Snapshot | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { stamps, snapshot } = JSON.parse(text) as Kept;
  return String(await stampsIn(snapshot)) === String(stamps) ? snapshot : undefined;
}

/** Hashes everything that affects how the modules are evaluated. */
async function fingerprint(files: readonly LoadedFile[]): Promise<string> {
  const program = [packageVersion(), await stampsOf([stateProgram]), process.version, process.env.NODE_ENV, flagsOfLoader()];
  return createHash('sha256')
    .update(JSON.stringify([files, program]))
    .digest('hex');
}

/** Writes a result to the cache and removes the oldest ones. */
async function keep(dir: string, file: string, snapshot: Snapshot): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, JSON.stringify({ stamps: await stampsIn(snapshot), snapshot } satisfies Kept), { mode: 0o600 });
  await rename(draft, file);
  const others = (await readdir(dir)).map((name) => join(dir, name));
  const ages = await Promise.all(others.map(async (path) => ({ path, written: (await stat(path)).mtimeMs })));
  ages.sort((a, b) => b.written - a.written);
  for (const { path } of ages.slice(mostKept)) await rm(path, { force: true });
}

/** The flags that affect which of its files a package loads. */
const flagsOfLoader = (): readonly string[] =>
  process.execArgv.filter((flag) => /^(?:-C|--conditions)\b.*=|^--preserve-symlinks/.test(flag));

async function loadAfresh(files: string, signal: AbortSignal | undefined): Promise<string> {
  const { NODE_OPTIONS: _options, ...env } = process.env;
  const child = spawn(process.execPath, [...flagsOfLoader(), stateProgram, files], {
    env,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    timeout: longestMs,
    killSignal: 'SIGKILL',
    ...(signal && { signal }),
  });
  const exited = new Promise<number | string | null>((resolve, reject) =>
    child.once('error', reject).once('close', (code, killed) => resolve(code ?? killed)),
  );
  const [written, said, code] = await Promise.all([text(child.stdio[3] as Readable), text(child.stderr as Readable), exited]);
  if (code !== 0) throw new Error(`that ended with ${code}: ${said.trim().slice(-500)}`);
  return written;
}
