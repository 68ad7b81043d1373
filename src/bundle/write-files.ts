import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A file of a bundle. */
export interface BundleFile {
  /** Relative to the bundle's folder, with `/`. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

const chunkBytes = 8 * 2 ** 20;
const chunksInFlight = 3;

/** Writes a file and hashes it in the same pass: chunks are hashed while the disk takes those before. No copy is made. */
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
      // A failure is met where the write is awaited, which may be later.
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

/** The system may take less than it is given. */
async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, position + done);
    done += bytesWritten;
  }
}

/** The identity of a set of files: of their paths and contents. */
export function digestOf(files: readonly BundleFile[], extra: readonly string[] = []): string {
  const hash = createHash('sha256');
  for (const { path, sha256 } of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) hash.update(`${path}\0${sha256}\n`);
  for (const text of extra) hash.update(`${text}\n`);
  return hash.digest('hex');
}
