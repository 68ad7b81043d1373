import type { Readable } from 'node:stream';
import { LineSplitter } from '../util/lines.ts';
import type { DockerEngine } from './engine.ts';

/** The last lines that a container wrote to stdout and stderr, oldest first. */
export async function containerLogs(engine: DockerEngine, id: string, tailLines: number): Promise<readonly string[]> {
  const bytes = await engine.find(`The log of the container ${id} can't be read`, (api) =>
    api.getContainer(id).logs({ stdout: true, stderr: true, tail: tailLines, follow: false }),
  );
  if (bytes === undefined || !Buffer.isBuffer(bytes)) return [];
  const lines = Buffer.concat([...new WriteReader().push(bytes)].map(({ payload }) => payload))
    .toString()
    .split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** How many old lines to begin with, or a start time in seconds since 1970. */
export type LogStart = { readonly tail: number } | { readonly since: number };

interface FollowOptions {
  readonly from: LogStart;
  readonly signal: AbortSignal;
}

/**
 * Old lines as `from` says, then each new one, until the container ends or the signal aborts. Undefined if there is no such
 * container. Throws E_DOCKER_UNAVAILABLE.
 */
export async function followContainerLogs(
  engine: DockerEngine,
  id: string,
  { from, signal }: FollowOptions,
): Promise<AsyncGenerator<string> | undefined> {
  const what = `The log of the container ${id} can't be followed`;
  const stream = await engine.find(what, (api) =>
    api.getContainer(id).logs({ stdout: true, stderr: true, follow: true, ...from }),
  );
  return stream === undefined ? undefined : linesOf(stream as Readable, signal);
}

async function* linesOf(stream: Readable, signal: AbortSignal): AsyncGenerator<string> {
  // An unread response keeps the connection open, and the process alive.
  const leave = (): void => void stream.destroy();
  signal.addEventListener('abort', leave);
  const reader = new WriteReader();
  const outputs = new Map<number, LineSplitter>();
  try {
    if (signal.aborted) return;
    for await (const bytes of stream) {
      for (const { output, payload } of reader.push(bytes as Buffer)) {
        const splitter = outputs.get(output) ?? new LineSplitter();
        outputs.set(output, splitter);
        yield* splitter.push(payload);
      }
    }
    for (const splitter of outputs.values()) yield* splitter.end();
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', leave);
    stream.destroy();
  }
}

/** What a container wrote in one call, and to which output. */
interface Write {
  readonly output: number;
  readonly payload: Buffer;
}

const headerBytes = 8;

/** Parses the engine's log format: each write follows a header with its output and length. */
class WriteReader {
  #rest: Buffer = Buffer.alloc(0);

  *push(bytes: Buffer): Generator<Write> {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    while (at + headerBytes <= all.length) {
      const end = at + headerBytes + all.readUInt32BE(at + 4);
      if (end > all.length) break;
      yield { output: all[at] ?? 0, payload: all.subarray(at + headerBytes, end) };
      at = end;
    }
    this.#rest = all.subarray(at);
  }
}
