import { readGraph } from './capture.ts';
import { childrenOf } from './emit-values.ts';
import {
  type CapturedClosure,
  extentOf,
  type FunctionNode,
  isNode,
  type ModuleNode,
  type Node,
  printPath,
  type Value,
} from './graph.ts';
import type { Problem } from './graph-builder.ts';

/** One captured variable or root, and all that came with it. */
export interface CaptureEntry {
  /** `predict → captured "weights"` */
  readonly path: string;
  /** `reference`: found by name in the replica; `asset`: binary data in a file; `value`: written into the bundle. */
  readonly how: 'value' | 'reference' | 'asset';
  /** For example `function`, `Float64Array(3)`, `import of ml-matrix`. */
  readonly type: string;
  /** An estimate of what it adds to the bundle, in bytes; what an earlier entry holds is not counted again. */
  readonly bytes: number;
}

/** The X-ray of a capture. */
export interface CaptureReport {
  readonly entries: readonly CaptureEntry[];
  /** What can't travel; empty for a closure that can be deployed. */
  readonly problems: readonly Problem[];
  readonly bytes: number;
  toString(): string;
}

/** Shows what a function would take along, how, and why anything can't be. Nothing is written. */
export async function explainClosure(fn: Function): Promise<CaptureReport> {
  const { captured, problems } = await readGraph({ default: fn });
  return reportOf(captured, problems);
}

/** Nobody reads more. */
const maxEntries = 1_000;

/** Sums up a graph that was read. */
export function reportOf(captured: CapturedClosure, problems: readonly Problem[]): CaptureReport {
  const counted = new Set<Node>();
  const entries: CaptureEntry[] = [];
  for (const value of captured.roots.values()) {
    if (isNode(value) && !counted.has(value)) entries.push(entryOf(printPath(value.path), value, counted));
  }
  for (const fn of captured.functions) {
    if (entries.length < maxEntries) entries.push(...entriesOf(fn, counted));
  }
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  return { entries, problems, bytes, toString: () => printReport(entries, problems) };
}

function* entriesOf(fn: FunctionNode, counted: Set<Node>): Generator<CaptureEntry> {
  for (const [name, { value }] of fn.captures) {
    if (isNode(value) && counted.has(value)) continue;
    yield entryOf(`${printPath(fn.path)} → captured "${name}"`, value, counted);
  }
}

function entryOf(path: string, value: Value, counted: Set<Node>): CaptureEntry {
  const how = isNode(value) && isReference(value) ? 'reference' : 'value';
  let bytes = 0;
  let binary = 0;
  const pending: Value[] = [value];
  for (let each = pending.pop(); pending.length > 0 || each !== undefined; each = pending.pop()) {
    if (!isNode(each)) bytes += typeof each === 'string' ? each.length : 8;
    else if (!counted.has(each)) {
      counted.add(each);
      const size = ownBytes(each);
      bytes += size;
      if (each.kind === 'buffer') binary += size;
      if (!isReference(each)) for (const child of childrenOf(each)) pending.push(child);
    }
  }
  return { path, how: how === 'value' && binary > bytes / 2 && binary >= 4_096 ? 'asset' : how, type: typeOf(value), bytes };
}

const isReference = ({ kind }: Node): boolean => kind === 'intrinsic' || kind === 'module';

function ownBytes(node: Node): number {
  if (node.kind === 'buffer') return extentOf(node).end - extentOf(node).start;
  if (node.kind === 'function') return node.syntax.text.length;
  if ((node.kind === 'object' || node.kind === 'array') && node.values !== undefined) return 8 + 8 * node.values.length;
  return 8 + node.properties.reduce((sum, { key }) => sum + (typeof key === 'string' ? key.length : 8), 0);
}

function typeOf(value: Value): string {
  if (!isNode(value)) return value === null ? 'null' : typeof value;
  if (value.kind === 'function') return value.syntax.kind === 'class' ? `class ${value.name}` : 'function';
  if (value.kind === 'view') return `${value.type}(${value.length})`;
  if (value.kind === 'array') return `array(${value.length})`;
  if (value.kind === 'map' || value.kind === 'set') return `${value.kind}(${value.entries.length})`;
  if (value.kind === 'call') return 'reduced';
  if (value.kind === 'made') return value.maker.replace(/^new /, '');
  if (value.kind === 'module') return `import of ${moduleName(value)}`;
  return value.kind === 'intrinsic' ? value.expression : value.kind;
}

function moduleName({ source, member }: ModuleNode): string {
  const suffix = member.map((key) => `.${key}`).join('');
  if (source.type === 'builtin') return source.name + suffix;
  const path = source.type === 'import' ? source.specifier : source.file;
  return (path.split('node_modules/').at(-1) ?? path) + suffix;
}

function printReport(entries: readonly CaptureEntry[], problems: readonly Problem[]): string {
  const width = Math.max(0, ...entries.map(({ path }) => path.length));
  const lines = entries.map(
    ({ path, how, type, bytes }) => `${path.padEnd(width)}  ${how.padEnd(9)}  ${printBytes(bytes).padStart(9)}  ${type}`,
  );
  const refused = problems.map(({ path, what, fix }) => `${path}: can't travel: ${what}. Fix: ${fix}.`);
  return [...lines, ...refused].join('\n');
}

function printBytes(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  return bytes < 2 ** 20 ? `${(bytes / 1_024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
