import { appendFile, open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { LineSplitter } from '../../util/lines.ts';

const maxTailBytes = 2 ** 20;
/** A log that grows beyond this is cut to its last `maxTailBytes`. */
const maxLogBytes = 64 * 2 ** 20;
const lookEveryMs = 100;

/** How long the logs of an earlier server's replicas are kept. */
const keptMs = 24 * 3_600_000;

/** Removes old logs from a folder with one subfolder for each replica. */
export async function sweepLogs(dir: string, now = Date.now()): Promise<void> {
  for (const name of await readdir(dir).catch(() => [])) {
    const { mtimeMs = now } = (await stat(join(dir, name, 'log')).catch(() => undefined)) ?? {};
    if (now - mtimeMs > keptMs) await rm(join(dir, name), { recursive: true, force: true }).catch(() => {});
  }
}

/** The file that a replica's output is appended to. */
export class LogFile {
  readonly path: string;
  /** How many bytes were cut from the beginning. */
  #trimmedBytes = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.path = path;
  }

  /** The last lines, oldest first; none if there is no file. */
  async tail(count: number): Promise<readonly string[]> {
    const { lines, rest } = await this.#end();
    return [...lines, ...(rest.length === 0 ? [] : [rest.toString()])].slice(-count);
  }

  /** The last lines, then each new line, until `ended` resolves and all lines were yielded, or the signal aborts. */
  async *follow({ tailLines, ended, signal }: FollowOptions): AsyncGenerator<string> {
    let hasEnded = false;
    void ended.then(() => {
      hasEnded = true;
    });
    const { lines, rest, position: start } = await this.#end();
    yield* lines.slice(-tailLines);
    const splitter = new LineSplitter();
    splitter.push(rest);
    for (let position = start; !signal.aborted; ) {
      const isLast = hasEnded;
      const { bytes, end } = await this.#read(position);
      yield* splitter.push(bytes);
      const isNew = end !== position;
      position = end;
      if (isNew) continue;
      if (isLast) return yield* splitter.end();
      await setTimeout(lookEveryMs);
    }
  }

  /** Cuts a log that is too long to its end. */
  trim(): Promise<void> {
    return this.#alone(async () => {
      if ((await stat(this.path)).size < maxLogBytes) return;
      const { bytes: tail } = await readEnd(this.path);
      // Followers count positions from the first byte ever written, so cutting doesn't make them lose their place.
      this.#trimmedBytes += (await stat(this.path)).size - tail.length;
      // The replica has the file open for appending, so it continues at the new end.
      await truncate(this.path);
      await appendFile(this.path, tail);
    });
  }

  /**
   * The lines in the last MiB, the unfinished line after them, and the position of the end, counted from the first byte
   * ever written.
   */
  #end(): Promise<{ readonly lines: readonly string[]; readonly rest: Uint8Array; readonly position: number }> {
    return this.#alone(async () => {
      const { bytes, size } = await readEnd(this.path);
      const lineEnd = bytes.lastIndexOf('\n') + 1;
      const lines = bytes.subarray(0, lineEnd).toString().split('\n').slice(0, -1);
      return { lines, rest: bytes.subarray(lineEnd), position: this.#trimmedBytes + size };
    });
  }

  /** Up to a MiB from a position on. */
  #read(position: number): Promise<{ readonly bytes: Uint8Array; readonly end: number }> {
    return this.#alone(async () => {
      const start = Math.max(0, position - this.#trimmedBytes);
      const bytes = await readAt(this.path, start);
      return { bytes, end: bytes.length === 0 ? position : this.#trimmedBytes + start + bytes.length };
    });
  }

  /** Runs one job at a time: positions are invalid while the file is being cut. */
  #alone<T>(job: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(job);
    this.#turn = done.catch(() => {});
    return done;
  }
}

interface FollowOptions {
  readonly tailLines: number;
  readonly ended: Promise<unknown>;
  readonly signal: AbortSignal;
}

async function readEnd(path: string): Promise<{ readonly bytes: Buffer; readonly size: number }> {
  const size = (await stat(path).catch(() => undefined))?.size ?? 0;
  const start = Math.max(0, size - maxTailBytes);
  const bytes = await readAt(path, start);
  return { bytes, size: start + bytes.length };
}

/** Up to a MiB of a file; empty if there is no file. */
async function readAt(path: string, start: number): Promise<Buffer> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return Buffer.alloc(0);
  try {
    const length = Math.min(maxTailBytes, Math.max(0, (await file.stat()).size - start));
    if (length === 0) return Buffer.alloc(0);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
