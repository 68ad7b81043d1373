import { appendFile, open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { LineSplitter } from '../../util/lines.ts';

const maxTailBytes = 2 ** 20;
/** A log that grows beyond this loses all but its end. */
const maxLogBytes = 64 * 2 ** 20;
const lookEveryMs = 100;

/** Logs of replicas of an earlier server are kept for so long. */
const keptMs = 24 * 3_600_000;

/** Takes away old logs from a folder that has one for each replica. */
export async function sweepLogs(dir: string, now = Date.now()): Promise<void> {
  for (const name of await readdir(dir).catch(() => [])) {
    const { mtimeMs = now } = (await stat(join(dir, name, 'log')).catch(() => undefined)) ?? {};
    if (now - mtimeMs > keptMs) await rm(join(dir, name), { recursive: true, force: true }).catch(() => {});
  }
}

/** The file that a replica's outputs are appended to. */
export class LogFile {
  readonly path: string;
  /** How much of the beginning was taken away. */
  #trimmedBytes = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.path = path;
  }

  /** The last lines, oldest first; none where there is no file. */
  async tail(count: number): Promise<readonly string[]> {
    const { lines, rest } = await this.#end();
    return [...lines, ...(rest.length === 0 ? [] : [rest.toString()])].slice(-count);
  }

  /** The last lines, and then each as it is written, until `ended` resolves and all was told, or the signal aborts. */
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

  /** Takes away all but the end of one that is too long. */
  trim(): Promise<void> {
    return this.#alone(async () => {
      if ((await stat(this.path)).size < maxLogBytes) return;
      const { bytes: tail } = await readEnd(this.path);
      // Whoever follows goes on behind what was read last, wherever that is now.
      this.#trimmedBytes += (await stat(this.path)).size - tail.length;
      // The replica appends, so it goes on writing at the new end.
      await truncate(this.path);
      await appendFile(this.path, tail);
    });
  }

  /** Its lines, or the last MiB of them; what was written of one that has not ended; and the position behind it, counted from the first byte ever written. */
  #end(): Promise<{ readonly lines: readonly string[]; readonly rest: Uint8Array; readonly position: number }> {
    return this.#alone(async () => {
      const { bytes, size } = await readEnd(this.path);
      const lineEnd = bytes.lastIndexOf('\n') + 1;
      const lines = bytes.subarray(0, lineEnd).toString().split('\n').slice(0, -1);
      return { lines, rest: bytes.subarray(lineEnd), position: this.#trimmedBytes + size };
    });
  }

  /** What comes behind a position, or some of it. */
  #read(position: number): Promise<{ readonly bytes: Uint8Array; readonly end: number }> {
    return this.#alone(async () => {
      const start = Math.max(0, position - this.#trimmedBytes);
      const bytes = await readAt(this.path, start);
      return { bytes, end: bytes.length === 0 ? position : this.#trimmedBytes + start + bytes.length };
    });
  }

  /** While the file is trimmed, its positions mean nothing. */
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

/** A MiB of a file at most; nothing where there is none. */
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
