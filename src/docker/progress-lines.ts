import type { Readable } from 'node:stream';
import { ClipperError } from '../errors.ts';

/** Called with each line of progress. */
export type OnLine = (line: string) => void;

/** A line of the engine's progress output. */
interface EngineLine {
  readonly stream?: string;
  readonly status?: string;
  readonly id?: string;
  readonly error?: string;
  readonly aux?: Readonly<Record<string, unknown>>;
}

/**
 * Reads the JSON lines of a build, load, push or pull to their end. Returns their `aux` values. Throws the text of an
 * `error` line, because the HTTP status was sent long before.
 */
export async function followLines(stream: Readable, onLine: OnLine): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const results: Readonly<Record<string, unknown>>[] = [];
  let last = '';
  for await (const line of jsonLines(stream)) {
    if (line.error !== undefined) throw new Error(line.error);
    if (line.aux !== undefined) results.push(line.aux);
    const text = (line.stream ?? [line.id, line.status].filter((part) => part !== undefined).join(': ')).trim();
    // Skips repeats: a layer's progress is reported many times a second.
    if (text !== '' && text !== last) onLine(text);
    last = text;
  }
  return results;
}

async function* jsonLines(stream: Readable): AsyncGenerator<EngineLine> {
  let rest = '';
  for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield parsed(line);
  }
  if (rest.trim() !== '') yield parsed(rest);
}

function parsed(line: string): EngineLine {
  try {
    return JSON.parse(line) as EngineLine;
  } catch (error) {
    throw new ClipperError('E_PROTOCOL', `The Docker engine answered something other than JSON: ${line.slice(0, 200)}`, {
      cause: error,
    });
  }
}
