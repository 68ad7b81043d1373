import { createHash } from 'node:crypto';
import { chmod, type FileHandle, mkdir, open, readFile, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A file of a bundle. */
export interface BundleFile {
  /** Relative to the bundle's folder, with `/` as the separator. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly executable?: true;
  /** The target of a symbolic link, relative to the link's folder. `sha256` is the hash of this text. */
  readonly link?: string;
}

const chunkBytes = 8 * 2 ** 20;
const chunksInFlight = 3;
const copiesInFlight = 16;

/**
 * Writes a file and hashes it in the same pass, without copying: each chunk is hashed while earlier chunks are being written.
 */
export async function writeHashed(dir: string, path: string, bytes: Uint8Array, signal?: AbortSignal): Promise<BundleFile> {
  const target = join(dir, path);
  await mkdir(dirname(target), { recursive: true });
  const hash = createHash('sha256');
  const file = await open(target, 'w');
  const writing: Promise<void>[] = [];
  try {
    for (let start = 0; start < bytes.byteLength; start += chunkBytes) {
      signal?.throwIfAborted();
      const chunk = bytes.subarray(start, start + chunkBytes);
      const write = writeAll(file, chunk, start);
      // The rejection is handled when the write is awaited, which may be later.
      write.catch(() => {});
      writing.push(write);
      hash.update(chunk);
      if (writing.length >= chunksInFlight) await writing.shift();
    }
    await Promise.all(writing);
  } finally {
    await Promise.allSettled(writing);
    await file.close();
  }
  return { path, bytes: bytes.byteLength, sha256: hash.digest('hex') };
}

/** A file to copy into a bundle, or a symbolic link to create there. */
export interface CopiedFile {
  /** In the bundle. */
  readonly path: string;
  readonly from: string;
  readonly link?: string;
  /** Changes the file's text. */
  readonly change?: (text: string) => string;
}

/** Copies files into a bundle's folder. */
export async function copyHashed(
  dir: string,
  files: readonly CopiedFile[],
  signal?: AbortSignal,
): Promise<readonly BundleFile[]> {
  const copied: BundleFile[] = [];
  for (let start = 0; start < files.length; start += copiesInFlight) {
    signal?.throwIfAborted();
    const batch = files.slice(start, start + copiesInFlight);
    const outcomes = await Promise.allSettled(batch.map((file) => copyOne(dir, file, signal)));
    // Wait for all: none may still be copying when the folder is removed.
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') throw outcome.reason;
      copied.push(outcome.value);
    }
  }
  return copied;
}

async function copyOne(dir: string, { path, from, link, change }: CopiedFile, signal?: AbortSignal): Promise<BundleFile> {
  const target = join(dir, path);
  if (link !== undefined) {
    await mkdir(dirname(target), { recursive: true });
    await symlink(link, target);
    return { path, bytes: 0, sha256: createHash('sha256').update(link).digest('hex'), link };
  }
  const [bytes, { mode }] = await Promise.all([readFile(from), stat(from)]);
  const file = await writeHashed(dir, path, change === undefined ? bytes : Buffer.from(change(bytes.toString())), signal);
  if ((mode & 0o111) === 0) return file;
  await chmod(target, 0o755);
  return { ...file, executable: true };
}

/** `write` may write fewer bytes than requested. */
async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, position + done);
    done += bytesWritten;
  }
}

/** Returns the identity of a set of files, based on their paths and contents. */
export function digestOf(files: readonly BundleFile[], extra: readonly string[] = []): string {
  const hash = createHash('sha256');
  for (const { path, sha256, executable, link } of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const kind = link === undefined ? (executable === true ? '\0executable' : '') : '\0link';
    hash.update(`${path}\0${sha256}${kind}\n`);
  }
  for (const text of extra) hash.update(`${text}\n`);
  return hash.digest('hex');
}
