import { chmod, lstat, mkdir, readdir } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { ClipperError } from '../errors.ts';
import { readHeld, releaseFile, takeFile, writeHeld } from './held-files.ts';
import { isAlive, type ProcessIdentity, thisProcess } from './processes.ts';

/** How long to wait for a server that is ending to release its name. */
const handoverMs = 10_000;
const pollMs = 50;
/** Rewrites the file regularly, because cleaners of temporary folders delete old files. */
const renewMs = 3_600_000;

/** What a cluster's server publishes to other programs of the same user on this machine. */
export interface RunningCluster extends ProcessIdentity {
  readonly name: string;
  /** Its start time, in ISO 8601. */
  readonly since: string;
  readonly stateDir: string;
  /** Left out while it starts. */
  readonly managementUrl?: string;
  readonly queryUrl?: string;
  /** The file with the management token, if there is one. */
  readonly tokenFile?: string;
  /** It is ending, and its name will be free. */
  readonly isStopping?: boolean;
}

/** This user's running clusters on this machine. */
export async function runningClusters(): Promise<readonly RunningCluster[]> {
  const dir = clustersDir();
  // Files in a folder of another user can't be trusted.
  if (!(await isOurOwn(userDir()))) return [];
  const names = (await readdir(dir).catch(() => [])).filter((name) => name.endsWith('.json'));
  const all = await Promise.all(names.map((name) => readHeld<RunningCluster>(join(dir, name))));
  return all.filter((each) => each !== undefined && isAlive(each)) as RunningCluster[];
}

/** A cluster's name on this machine, held by this process while its server runs. */
export class ClusterName implements AsyncDisposable {
  readonly #path: string;
  readonly #renewal: NodeJS.Timeout;
  #entry: RunningCluster;

  private constructor(path: string, entry: RunningCluster) {
    this.#path = path;
    this.#entry = entry;
    this.#renewal = setInterval(() => void this.announce({}).catch(() => {}), renewMs).unref();
  }

  /** Waits if the name's server is ending. Throws E_CLUSTER_EXISTS with the name's holder, E_STORE_FAILED. */
  static async take(name: string, stateDir: string): Promise<ClusterName> {
    await ensureOwnDir();
    const path = join(clustersDir(), `${name}.json`);
    const entry = { ...thisProcess(), name, since: new Date().toISOString(), stateDir };
    const end = performance.now() + handoverMs;
    for (;;) {
      const other = await takeFile<RunningCluster>(path, entry);
      if (other === undefined) return new ClusterName(path, entry);
      if (other.isStopping !== true || performance.now() > end) throw clusterExists(other);
      await setTimeout(pollMs);
    }
  }

  /** Publishes more facts. */
  async announce(facts: Partial<RunningCluster>): Promise<void> {
    this.#entry = { ...this.#entry, ...facts };
    await ensureOwnDir();
    await writeHeld(this.#path, this.#entry);
  }

  /** Releases the name. */
  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#renewal);
    return releaseFile(this.#path);
  }
}

function clusterExists({ name, pid, since, managementUrl, isStopping }: RunningCluster): ClipperError {
  const state = isStopping === true ? 'is ending, but takes long' : 'is still starting';
  const where = managementUrl === undefined || isStopping === true ? state : `its management is at ${managementUrl}`;
  const message = `A cluster with name '${name}' runs on this machine already: process ${pid}, since ${since}; ${where}`;
  const connect = managementUrl === undefined ? 'connectClipper()' : `connectClipper({ managementUrl: '${managementUrl}' })`;
  return new ClipperError('E_CLUSTER_EXISTS', message, { fix: `${connect}, or give startClipper another name` });
}

// Systems without user ids have a temporary folder per user.
const userDir = (): string => join(tmpdir(), `clipper-ts-${process.getuid?.() ?? userInfo().username}`);
const clustersDir = (): string => join(userDir(), 'clusters');

/** Creates the folder with access for this user only. Throws E_STORE_FAILED if another user may have created it. */
async function ensureOwnDir(): Promise<void> {
  const dir = userDir();
  await mkdir(dir, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  if (!(await isOurOwn(dir))) {
    const message = `${dir}, where running clusters are listed, is not a folder of this user's own`;
    throw new ClipperError('E_STORE_FAILED', message, { fix: 'have it removed, or set TMPDIR to another folder' });
  }
  await chmod(dir, 0o700);
  await mkdir(clustersDir(), { recursive: true, mode: 0o700 });
}

/** Whether there is a real folder, not a link, that belongs to this user. */
async function isOurOwn(dir: string): Promise<boolean> {
  const found = await lstat(dir).catch(() => undefined);
  return found?.isDirectory() === true && (process.getuid === undefined || found.uid === process.getuid());
}
