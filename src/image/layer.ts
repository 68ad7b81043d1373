import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { type Header, type Pack, pack } from 'tar-stream';
import { ClipperError } from '../errors.ts';

/** A file in a layer. All files belong to root and have the same time. */
export interface LayerFile {
  /** The path in the image, without the leading `/`. */
  readonly path: string;
  readonly content: Uint8Array | { readonly file: string; readonly bytes: number } | { readonly link: string } | 'folder';
  /** Default: 755 for folders, 644 for files. */
  readonly mode?: number;
}

/** An image layer: a tar archive that is generated each time it is opened, always with the same bytes. */
export interface Layer {
  /** SHA-256 of the archive, as in image configurations: `sha256:…`. */
  readonly diffId: string;
  /** The archive's size. */
  readonly bytes: number;
  open(): Readable;
}

/** Makes a layer. The files must not change while it is in use. The same files always give the same layer. */
export async function makeLayer(files: readonly LayerFile[], signal?: AbortSignal): Promise<Layer> {
  const all = withFolders(files);
  const open = (): Readable =>
    archived(async (archive) => {
      for (const file of all) await addFile(archive, file);
    });
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of open() as AsyncIterable<Uint8Array>) {
    signal?.throwIfAborted();
    hash.update(chunk);
    bytes += chunk.byteLength;
  }
  return { diffId: `sha256:${hash.digest('hex')}`, bytes, open };
}

/** The files sorted by path, with each folder before its contents. */
function withFolders(files: readonly LayerFile[]): readonly LayerFile[] {
  const all = new Map<string, LayerFile>();
  for (const { path } of files) {
    const parts = path.split('/').slice(0, -1);
    for (const [index] of parts.entries()) {
      const folder = parts.slice(0, index + 1).join('/');
      all.set(folder, { path: folder, content: 'folder' });
    }
  }
  for (const file of files) all.set(file.path, file);
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** An archive that is filled while it is read. */
export function archived(fill: (archive: Pack) => Promise<void>): Readable {
  const archive = pack();
  fill(archive).then(
    () => archive.finalize(),
    (error: Error) => archive.destroy(error),
  );
  return Readable.from(archive);
}

/** The modification time of all files: `SOURCE_DATE_EPOCH`, else 1970. */
export function buildTime(): Date {
  const { SOURCE_DATE_EPOCH: seconds = '0' } = process.env;
  if (/^\d{1,11}$/.test(seconds)) return new Date(Number(seconds) * 1_000);
  throw new ClipperError('E_INVALID_OPTION', `SOURCE_DATE_EPOCH must be whole seconds since 1970, got "${seconds}"`);
}

async function addFile(archive: Pack, { path, content, mode }: LayerFile): Promise<void> {
  const owner = { uid: 0, gid: 0, mtime: buildTime() };
  if (content === 'folder') return addEntry(archive, { ...owner, name: `${path}/`, type: 'directory', mode: mode ?? 0o755 });
  if ('link' in content) return addEntry(archive, { ...owner, name: path, type: 'symlink', linkname: content.link, mode: 0o777 });
  const header = { ...owner, name: path, mode: mode ?? 0o644 };
  if (content instanceof Uint8Array) return addEntry(archive, { ...header, size: content.byteLength }, content);
  const sink = archive.entry({ ...header, size: content.bytes } as Header);
  await pipeline(createReadStream(content.file, { highWaterMark: 2 ** 20 }), sink);
}

/** Adds an entry from memory. */
export async function addEntry(archive: Pack, header: Partial<Header> & { name: string }, bytes?: Uint8Array): Promise<void> {
  const sink = archive.entry({ ...header, size: bytes?.byteLength ?? 0 } as Header);
  sink.end(bytes);
  await finished(sink);
}
