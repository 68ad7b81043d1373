import { encode, type SourceMapSegment } from '@jridgewell/sourcemap-codec';
import type { FunctionNode } from '../graph/nodes.ts';
import type { EmittedFile } from './format.ts';

/** Marks where a span of a function's own text begins in emitted code. A text that contains this character isn't mapped. */
const mark = '\u{f1f1f}';
const marks = new RegExp(`${mark}(\\d+):(\\d+)${mark}`, 'gu');

/** Matches the positions that a stack trace may point to: words, such as the name of a called function. */
const words = /[\p{L}\d_$#]+/gu;

/** Records the origins of functions' texts while code is emitted, and writes them as a source map. */
export class SourceMapper {
  readonly #functions: FunctionNode[] = [];
  readonly #numbers = new Map<FunctionNode, number>();

  /** Returns a mark for a span of a function's text that begins at this offset. Put the mark before the span. */
  mark(node: FunctionNode, offset: number): string {
    if (node.origin === undefined || node.syntax.text.includes(mark)) return '';
    const number = this.#numbers.get(node) ?? this.#functions.push(node) - 1;
    this.#numbers.set(node, number);
    return `${mark}${number}:${offset}${mark}`;
  }

  /** Removes the marks from a file. If there were any, also returns the file's source map. */
  finish({ name, text }: EmittedFile): readonly EmittedFile[] {
    const sources: string[] = [];
    const lines: SourceMapSegment[][] = [];
    const parts: string[] = [];
    const writer = new Positions();
    const found = [...text.matchAll(marks)];
    for (const [index, match] of found.entries()) {
      const end = match.index + match[0].length;
      if (index === 0) parts.push(writer.pass(text.slice(0, match.index)));
      const stretch = text.slice(end, found[index + 1]?.index ?? text.length);
      const node = this.#functions[Number(match[1])];
      if (node !== undefined) this.#map(node, { stretch, offset: Number(match[2]), at: writer, lines, sources });
      parts.push(writer.pass(stretch));
    }
    if (found.length === 0) return [{ name, text }];
    const map = { version: 3, sources, names: [], mappings: encode(Array.from(lines, (line) => line ?? [])) };
    return [
      { name, text: `${parts.join('')}//# sourceMappingURL=${name}.map\n` },
      { name: `${name}.map`, text: `${JSON.stringify(map)}\n` },
    ];
  }

  #map(
    { origin, syntax }: FunctionNode,
    { stretch, offset, at, lines, sources }: Stretch & { lines: SourceMapSegment[][]; sources: string[] },
  ): void {
    if (origin === undefined) return;
    let { line, column } = at;
    let from = 0;
    // The rest of the span wasn't in the function's text; the emitter added it.
    const own = stretch.slice(0, commonLength(stretch, syntax.text.slice(offset)));
    for (const { index } of own.matchAll(words)) {
      const skipped = own.slice(from, index);
      const lineBreaks = skipped.split('\n').length - 1;
      column = lineBreaks === 0 ? column + skipped.length : skipped.length - skipped.lastIndexOf('\n') - 1;
      line += lineBreaks;
      from = index;
      const original = origin.original(offset + index);
      if (original === undefined) continue;
      let source = sources.indexOf(original.source);
      if (source === -1) source = sources.push(original.source) - 1;
      lines[line] ??= [];
      lines[line]?.push([column, source, original.line, original.column]);
    }
  }
}

interface Stretch {
  readonly stretch: string;
  readonly offset: number;
  readonly at: Positions;
}

/** The line and column that the emitted text has reached. */
class Positions {
  line = 0;
  column = 0;

  pass(text: string): string {
    const last = text.lastIndexOf('\n');
    if (last === -1) this.column += text.length;
    else {
      this.line += text.split('\n').length - 1;
      this.column = text.length - last - 1;
    }
    return text;
  }
}

function commonLength(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) if (a.charCodeAt(index) !== b.charCodeAt(index)) return index;
  return length;
}
