import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import { stateProgram } from '../../util/package-files.ts';
import type { LoadedFile } from '../origins.ts';
import type { Snapshot } from './snapshot.ts';

/** Longer than any package takes to load. */
const longestMs = 60_000;

/** By the files; what a package's files say is taken not to change while the process runs that has loaded them. */
const snapshots = new LRUCache<string, Promise<Snapshot | undefined>>({ max: 32 });

const keyOf = (files: readonly LoadedFile[]): string => JSON.stringify(files);

/** The state of modules of packages as they are when they were just loaded; undefined if it can't be had. */
export function freshState(files: readonly LoadedFile[]): Promise<Snapshot | undefined> {
  const key = keyOf(files);
  const found = snapshots.get(key) ?? loadAfresh(key).catch(() => undefined);
  snapshots.set(key, found);
  return found;
}

/** Loads them in a process of their own, with what decides which of its files a package loads. */
async function loadAfresh(files: string): Promise<Snapshot | undefined> {
  if (!existsSync(stateProgram)) return undefined;
  const { NODE_OPTIONS: _options, ...env } = process.env;
  const flags = process.execArgv.filter((flag) => /^(?:-C|--conditions)\b.*=|^--preserve-symlinks/.test(flag));
  const child = spawn(process.execPath, [...flags, stateProgram, files], {
    env,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    timeout: longestMs,
    killSignal: 'SIGKILL',
  });
  const exited = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  const [written, code] = await Promise.all([text(child.stdio[3] as Readable), exited]);
  return code === 0 ? (JSON.parse(written) as Snapshot) : undefined;
}
