import { readFileSync } from 'node:fs';
import { FlattenMap, originalPositionFor, type TraceMap } from '@jridgewell/trace-mapping';
import type { Original, Place } from '../graph/source-place.ts';

/** Maps the code of a script to its origin, through the source map that the compiler left. */
export class ScriptMap {
  readonly #map: TraceMap;

  /** Reads a script's map from its URL or from a file next to it. Returns undefined if no map can be read. */
  static of(scriptUrl: string, mapUrl: string): ScriptMap | undefined {
    try {
      return new ScriptMap(new FlattenMap(readMap(scriptUrl, mapUrl), new URL(mapUrl, scriptUrl).href));
    } catch {
      return undefined;
    }
  }

  private constructor(map: TraceMap) {
    this.#map = map;
  }

  /** As URLs. */
  get sources(): readonly string[] {
    return this.#map.resolvedSources;
  }

  /** Returns the original of the closest mapped position at or before this one. */
  original({ line, column }: Place): Original | undefined {
    const found = originalPositionFor(this.#map, { line: line + 1, column });
    return found.source === null ? undefined : { source: found.source, line: found.line - 1, column: found.column };
  }
}

function readMap(scriptUrl: string, mapUrl: string): string {
  const inline = /^data:application\/json[^,]*?(;base64)?,(.*)$/s.exec(mapUrl);
  if (inline === null) return readFileSync(new URL(mapUrl, scriptUrl), 'utf8');
  const [, base64, text = ''] = inline;
  return base64 === undefined ? decodeURIComponent(text) : Buffer.from(text, 'base64').toString('utf8');
}
