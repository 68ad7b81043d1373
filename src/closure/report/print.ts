import type { Problem } from '../graph/problem.ts';
import type { CaptureNode } from './report.ts';

/** The terminal width to assume. */
const columns = 100;
const widestName = 36;
const widestType = 26;

export interface Printed {
  readonly roots: readonly CaptureNode[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly bytes: number;
}

interface Row {
  readonly branch: string;
  readonly node: CaptureNode;
}

/** Prints the tree in aligned columns, followed by the flags and problems. */
export function printReport({ roots, problems, warnings, bytes }: Printed): string {
  const rows = roots.flatMap((root) => rowsOf(root));
  const flagged = rows.flatMap(({ node: { path, flags } }) => flags.map(({ kind, message }) => ({ path, kind, message })));
  // Warnings and problems already list credentials, including those that have no line in the tree.
  const flags = flagged.filter(({ kind }) => kind !== 'credentials');
  return [
    ...printRows(rows, bytes),
    ...flags.map(({ path, kind, message }) => note(`! ${path}`, `${kind}: ${message}`)),
    ...warnings.map(({ path, what, fix }) => note(`! ${path}`, `credentials: ${what}. Fix: ${fix}`)),
    ...problems.map(({ path, what, fix }) => note(`✗ ${path}`, `can't travel: ${what}. Fix: ${fix}`)),
  ].join('\n');
}

function printRows(rows: readonly Row[], bytes: number): string[] {
  const widthOf = (textOf: (row: Row) => string, widest: number): number =>
    Math.min(
      widest,
      rows.reduce((width, row) => Math.max(width, textOf(row).length), 0),
    );
  const names = widthOf(({ branch, node }) => branch + node.name, widestName);
  const types = widthOf(({ node }) => node.type, widestType);
  const hows = widthOf(({ node }) => shortHow(node), columns);
  const lines = rows.map((row) => {
    const { flags, type, why, bytes: size } = row.node;
    const texts = [flags.length > 0 ? '!' : ' ', nameOf(row, names).padEnd(names), printBytes(size).padStart(9)];
    texts.push(shortHow(row.node).padEnd(hows), shorten(type, types).padEnd(types));
    return [...texts, fitReason(why, columns - names - types - hows - 15)].join(' ').trimEnd();
  });
  return [...lines, `  ${'in all'.padEnd(names)} ${printBytes(bytes).padStart(9)}`];
}

const shortHow = ({ how, type }: CaptureNode): string => (type === '' ? '' : how === 'reference' ? 'ref' : how);

/** The end of a path is the most informative part. */
function fitReason(why: string, width: number): string {
  const short = why.replace(/ at \S*\//, ' at …/').replace(/ and (\d+) more$/, ' +$1');
  const shortest = short.replace(/^(?:(?:used|read) by|written at) /, '');
  return [why, short, shortest].find((each) => each.length <= width) ?? shorten(shortest, width);
}

/** Iterative, since trees may be deep. */
function rowsOf(root: CaptureNode): Row[] {
  const rows: Row[] = [];
  const pending: { node: CaptureNode; branch: string; indent: string }[] = [{ node: root, branch: '', indent: '' }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, branch, indent } = next;
    rows.push({ branch, node });
    const { children } = node;
    for (let index = children.length - 1; index >= 0; index--) {
      const isLast = index === children.length - 1;
      const child = children[index] as CaptureNode;
      pending.push({ node: child, branch: `${indent}${isLast ? '└─ ' : '├─ '}`, indent: `${indent}${isLast ? '   ' : '│  '}` });
    }
  }
  return rows;
}

/** Prints a title line, followed by the text wrapped to the terminal's width. */
function note(title: string, text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of `${text}.`.split(' ')) {
    if (line.length + word.length + 5 > columns) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [title, ...[...lines, line].map((each) => `    ${each}`)].join('\n');
}

/** Prints a name after its branch. A deep branch is cut at its start. */
function nameOf({ branch, node: { name } }: Row, width: number): string {
  const deepest = width / 2;
  const shown = branch.length <= deepest ? branch : `…${branch.slice(1 - deepest)}`;
  return shown + shorten(name, width - shown.length);
}

/** The ends of a long text say more than its middle. */
function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  if (width < 8) return text.slice(0, Math.max(0, width));
  const end = Math.ceil((width - 1) / 2);
  return `${text.slice(0, width - 1 - end)}…${text.slice(-end)}`;
}

export function printBytes(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  return bytes < 2 ** 20 ? `${(bytes / 1_024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
