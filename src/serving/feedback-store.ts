import { appendFile, type FileHandle, mkdir, open, readFile, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { ClipperError } from '../errors.ts';

const newline = 0x0a;

/** An application's lines that are yet to be written, and the state of its files. */
interface Journal {
  readonly waiting: Buffer[];
  /** Settles after the last file operation. They run one at a time. */
  working: Promise<unknown>;
  /** The scheduled write of `waiting`; undefined if none is scheduled. */
  writing: Promise<void> | undefined;
  /** The size of the newer file; undefined until it is measured. */
  bytes: number | undefined;
}

/**
 * Keeps applications' feedback as JSON lines: the latest in `<application>.jsonl`, what came before that in
 * `<application>.older.jsonl`. Neither grows beyond `maxFileBytes`, so the oldest feedback is dropped in the end.
 */
export class FeedbackStore {
  readonly #dir: string;
  readonly #maxFileBytes: number;
  readonly #journals = new Map<string, Journal>();

  constructor(dir: string, maxFileBytes = 8 * 2 ** 20) {
    this.#dir = dir;
    this.#maxFileBytes = maxFileBytes;
  }

  /** Resolves when the record is written, in call order. Rejects with E_BODY_TOO_LARGE if it is larger than a file may be. */
  append(application: string, record: object): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    if (line.byteLength > this.#maxFileBytes) {
      const message = `Feedback may have ${this.#maxFileBytes} bytes at most, got ${line.byteLength}`;
      return Promise.reject(new ClipperError('E_BODY_TOO_LARGE', message));
    }
    const journal = this.#journal(application);
    journal.waiting.push(line);
    // One write takes all lines that arrived during the previous one.
    journal.writing ??= this.#do(journal, () => {
      journal.writing = undefined;
      return this.#write(application, journal);
    });
    return journal.writing;
  }

  /** The stored lines, oldest first, as of the start of reading. */
  async *read(application: string): AsyncGenerator<Buffer> {
    const journal = this.#journal(application);
    const files = await this.#do(journal, async () => {
      await this.#prepare(application, journal);
      const { newer, older } = this.#paths(application);
      const opened = await Promise.all([older, newer].map(openIfThere));
      return opened.filter((file) => file !== undefined);
    });
    try {
      for (const { file, size } of files) {
        if (size > 0) yield* file.createReadStream({ start: 0, end: size - 1, autoClose: false }) as AsyncIterable<Buffer>;
      }
    } finally {
      for (const { file } of files) await file.close();
    }
  }

  /** Deletes an application's feedback. */
  delete(application: string): Promise<void> {
    const journal = this.#journal(application);
    const { newer, older } = this.#paths(application);
    return this.#do(journal, async () => {
      for (const path of [newer, older]) await rm(path, { force: true });
      journal.bytes = undefined;
    });
  }

  /** Resolves when everything is written. */
  async close(): Promise<void> {
    await Promise.all([...this.#journals.values()].map(({ working }) => working));
  }

  #journal(application: string): Journal {
    const journal = this.#journals.get(application) ?? {
      waiting: [],
      working: Promise.resolve(),
      writing: undefined,
      bytes: undefined,
    };
    this.#journals.set(application, journal);
    return journal;
  }

  #paths(application: string): { newer: string; older: string } {
    return { newer: join(this.#dir, `${application}.jsonl`), older: join(this.#dir, `${application}.older.jsonl`) };
  }

  #do<T>(journal: Journal, work: () => Promise<T>): Promise<T> {
    const done = journal.working.then(work);
    journal.working = done.catch(() => {});
    return done;
  }

  /** Measures the file, and cuts off a line that an earlier server wrote only in part. */
  async #prepare(application: string, journal: Journal): Promise<number> {
    if (journal.bytes !== undefined) return journal.bytes;
    await mkdir(this.#dir, { recursive: true });
    const { newer } = this.#paths(application);
    const there = await readFile(newer).catch(nothingThere);
    const bytes = there === undefined ? 0 : there.lastIndexOf(newline) + 1;
    if (there !== undefined && bytes < there.byteLength) await truncate(newer, bytes);
    journal.bytes = bytes;
    return bytes;
  }

  async #write(application: string, journal: Journal): Promise<void> {
    const lines = journal.waiting.splice(0);
    const { newer, older } = this.#paths(application);
    let bytes = await this.#prepare(application, journal);
    // If a write fails, the file is measured again.
    journal.bytes = undefined;
    while (lines.length > 0) {
      const chunk = takeFitting(lines, this.#maxFileBytes - bytes);
      if (chunk.byteLength === 0) await rename(newer, older);
      else await appendFile(newer, chunk);
      bytes = chunk.byteLength === 0 ? 0 : bytes + chunk.byteLength;
    }
    journal.bytes = bytes;
  }
}

/** Removes and joins the first lines, as many as fit. */
function takeFitting(lines: Buffer[], room: number): Buffer {
  let left = room;
  const tooMuch = lines.findIndex(({ byteLength }) => {
    left -= byteLength;
    return left < 0;
  });
  return Buffer.concat(lines.splice(0, tooMuch === -1 ? lines.length : tooMuch));
}

const openIfThere = (path: string): Promise<{ file: FileHandle; size: number } | undefined> =>
  open(path).then(async (file) => ({ file, size: (await file.stat()).size }), nothingThere);

/** Ignores a missing file. */
function nothingThere(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
