import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { decode, type SourceMapMappings } from '@jridgewell/sourcemap-codec';
import type { Original, Place } from '../graph/source-place.ts';

interface RawMap {
  readonly sources?: readonly (string | null)[];
  readonly sourceRoot?: string;
  readonly mappings?: string;
}

/** Where the code of a script came from, by the source map that its compiler left. */
export class ScriptMap {
  /** As URLs. */
  readonly sources: readonly string[];
  readonly #lines: SourceMapMappings;

  /** The map of a script: within its URL, or in a file beside it. Undefined where there is none that can be read. */
  static of(scriptUrl: string, mapUrl: string): ScriptMap | undefined {
    try {
      const raw = JSON.parse(readMap(scriptUrl, mapUrl)) as RawMap;
      return new ScriptMap(raw, scriptUrl);
    } catch {
      return undefined;
    }
  }

  private constructor({ sources = [], sourceRoot = '', mappings = '' }: RawMap, scriptUrl: string) {
    const folder = dirname(fileURLToPath(scriptUrl));
    this.sources = sources.map((source) => sourceUrl(folder, `${sourceRoot}${source ?? ''}`));
    this.#lines = decode(mappings);
  }

  /** The closest mapped place before one of the script's. */
  original({ line, column }: Place): Original | undefined {
    const segments = this.#lines[line] ?? [];
    let low = -1;
    for (let high = segments.length - 1; low < high; ) {
      const middle = (low + high + 1) >> 1;
      if ((segments[middle]?.[0] ?? 0) <= column) low = middle;
      else high = middle - 1;
    }
    const [, source = -1, originalLine = 0, originalColumn = 0] = segments[low] ?? [];
    const url = this.sources[source];
    return url === undefined ? undefined : { source: url, line: originalLine, column: originalColumn };
  }
}

function readMap(scriptUrl: string, mapUrl: string): string {
  const inline = /^data:application\/json[^,]*?(;base64)?,(.*)$/s.exec(mapUrl);
  if (inline === null) return readFileSync(new URL(mapUrl, scriptUrl), 'utf8');
  const [, base64, text = ''] = inline;
  return base64 === undefined ? decodeURIComponent(text) : Buffer.from(text, 'base64').toString('utf8');
}

const sourceUrl = (folder: string, source: string): string =>
  source.startsWith('file:') ? source : pathToFileURL(resolve(folder, source)).href;
