import type { CapturedClosure } from '../graph/closure.ts';
import { forEachEdge, type Role } from '../graph/edges.ts';
import { GraphSizes } from '../graph/graph-sizes.ts';
import { type FunctionNode, isNode, type Node, type Value } from '../graph/nodes.ts';
import { type Path, printPath } from '../graph/path.ts';
import { Flags } from './flags.ts';
import { Readers } from './readers.ts';
import type { CaptureNode } from './report.ts';
import { reasonOf, typeOf } from './words.ts';

/** Nobody reads more lines than this. */
const maxLines = 1_000;
/** The maximum number of children shown per node. */
const maxChildren = 20;
/** The maximum number of similar children shown. */
const maxAlike = 3;
/** Up to this depth below a function, everything is shown. Deeper, only remarkable values are. */
const plainDepth = 2;
/** A string of this length is worth a line. */
const longText = 4_096;

/** A line of the tree that may still get children. */
interface Line {
  readonly shown: CaptureNode & { readonly children: CaptureNode[] };
  readonly node: Node;
  readonly number: number;
  readonly path: Path;
  /** The distance from the function that leads to it. */
  readonly depth: number;
  /** The variable whose value it is. */
  readonly variable: { readonly reader: FunctionNode; readonly name: string } | undefined;
}

/** A candidate for a line, before it is known whether there is room. */
interface Child {
  readonly value: Value;
  readonly role: Role;
  readonly key: string | number;
  /** Its number, if it belongs to this node. */
  readonly number: number | undefined;
  readonly bytes: number;
  readonly isRemarkable: boolean;
}

/** Returns the captured functions, each with a bounded tree of what it captured. The sums are exact. */
export function treeOf(captured: CapturedClosure): CaptureNode[] {
  const census = new GraphSizes(captured, new Set(captured.secrets.map(({ holder }) => holder)));
  return new Tree(captured, census).roots();
}

class Tree {
  readonly #census: GraphSizes;
  readonly #readers: Readers;
  readonly #flags: Flags;
  #room = maxLines;

  constructor(captured: CapturedClosure, census: GraphSizes) {
    this.#census = census;
    this.#readers = new Readers(captured);
    this.#flags = new Flags(captured, census, this.#readers);
  }

  roots(): CaptureNode[] {
    const lines = this.#census.roots.slice(0, maxChildren).map((number) => this.#root(number));
    // Breadth first, so that values near the function get the available lines.
    const waiting = [...lines];
    for (let at = 0; at < waiting.length && this.#room > 0; at++) waiting.push(...this.#grow(waiting[at] as Line));
    return lines.map(({ shown }) => shown);
  }

  #root(number: number): Line {
    const node = this.#census.nodes[number] as Node;
    const { path } = node;
    const place = node.kind === 'function' ? this.#readers.placeOf(node, 0) : undefined;
    const changed = node.kind === 'change' ? 'changed since it was loaded' : 'captured';
    const why = place === undefined ? changed : `written at ${place}`;
    this.#room--;
    const shown = { ...this.#sizeOf(node, number), name: printPath(path), path: printPath(path), type: typeOf(node), why };
    return {
      shown: { ...shown, flags: this.#flags.ofNode(node, number), children: [] },
      node,
      number,
      path,
      depth: 0,
      variable: undefined,
    };
  }

  /** Adds the children of a line. Returns those that may have children themselves. */
  #grow(line: Line): Line[] {
    if (line.depth >= plainDepth && !this.#census.isRemarkable(line.number)) return [];
    if (line.node.kind === 'view') return [];
    const { chosen, count, bytes } = this.#choose(line);
    const lines: Line[] = [];
    let left = count;
    let leftBytes = bytes;
    for (const child of chosen) {
      if (this.#room <= 1) break;
      this.#room--;
      left--;
      leftBytes -= child.bytes;
      const next = this.#line(line, child);
      line.shown.children.push(next.shown);
      if (child.number !== undefined) lines.push(next as Line);
    }
    if (left > 0) {
      this.#room--;
      line.shown.children.push(restOf(line, left, leftBytes));
    }
    return lines;
  }

  /** Returns the children worth a line, and the count and bytes of the rest. */
  #choose({ node, number }: Line): { chosen: readonly Child[]; count: number; bytes: number } {
    const chosen: Child[] = [];
    const { start, end } = this.#census.childrenOf(number);
    let next = start;
    let count = 0;
    let bytes = 0;
    forEachEdge(node, (value, role, key) => {
      // Children are numbered in the order in which they are visited.
      const isOwn = next < end && isNode(value) && this.#census.nodes[next] === value;
      if (isOwn) next++;
      if (!isOwn && role !== 'variable' && typeof value !== 'string') return;
      // The name of a change already says where it is.
      if (node.kind === 'change' && role === 'part') return;
      if (chosen.length >= maxChildren && isOwn && !this.#census.isRemarkable(next - 1)) {
        count++;
        bytes += this.#bytesOf(next - 1);
        return;
      }
      const child = this.#child(node, { value, role, key, number: isOwn ? next - 1 : undefined });
      if (child === undefined) return;
      count++;
      bytes += child.bytes;
      if (chosen.length < maxChildren) chosen.push(child);
      else if (child.isRemarkable) replacePlain(chosen, child);
    });
    const areAlike =
      count > maxChildren && chosen.every((child) => !child.isRemarkable && typeOf(child.value) === typeOf(chosen[0]?.value));
    return { chosen: areAlike ? chosen.slice(0, maxAlike) : chosen, count, bytes };
  }

  /** Returns undefined for values without a line: numbers and short strings in objects, symbols, intrinsics. */
  #child(holder: Node, edge: Pick<Child, 'value' | 'role' | 'key' | 'number'>): Child | undefined {
    const { value, role, key, number } = edge;
    if (number === undefined) {
      const isSecret = typeof value === 'string' && this.#flags.ofSecrets(holder, key).length > 0;
      const isLong = typeof value === 'string' && value.length >= longText;
      if (role !== 'variable' && !isSecret && !isLong) return undefined;
      const bytes = isNode(value) ? 0 : typeof value === 'string' ? value.length : 8;
      return { ...edge, bytes, isRemarkable: isSecret || isLong };
    }
    if (role !== 'variable' && isNode(value) && this.#saysNothing(value, number)) return undefined;
    return { ...edge, bytes: this.#bytesOf(number), isRemarkable: this.#census.isRemarkable(number) };
  }

  #saysNothing(node: Node, number: number): boolean {
    const { start, end } = this.#census.childrenOf(number);
    return node.kind === 'symbol' || node.kind === 'intrinsic' || (node.kind === 'member' && start === end);
  }

  #line(parent: Line, child: Child): Omit<Line, 'node' | 'number'> & { node: Value; number: number | undefined } {
    const { value, role, key, bytes } = child;
    const reader = role === 'variable' && parent.node.kind === 'function' ? parent.node : undefined;
    const name = String(key);
    const path = stepTo(parent.path, role, name);
    const inner = this.#inner(child);
    const flags = [...this.#flags.ofSecrets(parent.node, key)];
    if (reader !== undefined && child.number !== undefined) flags.push(...this.#flags.ofVariable(value, name, reader));
    if (role === 'module') flags.push(...this.#flags.ofVariable(value, name, parent.node));
    if (isNode(value) && child.number !== undefined) flags.push(...this.#flags.ofNode(value, child.number));
    const { node, number } = inner;
    const { how } = isNode(node) && number !== undefined ? this.#sizeOf(node, number) : { how: howOf(value) };
    const why = this.#why(parent, child);
    const printed = { name: printPath({ ...path, parent: undefined }), path: printPath(path) };
    return {
      shown: { ...printed, how, type: typeOf(inner.node), bytes, why, flags, children: [] },
      ...inner,
      path,
      depth: isNode(inner.node) && inner.node.kind === 'function' ? 0 : parent.depth + 1,
      variable: reader === undefined ? undefined : { reader, name },
    };
  }

  /** Replaces a class's prototype, which says little by itself, with the class. */
  #inner({ value, number }: Child): { node: Value; number: number | undefined } {
    if (number === undefined || !isNode(value) || value.kind !== 'member') return { node: value, number };
    const { start, end } = this.#census.childrenOf(number);
    const only = end - start === 1 ? this.#census.nodes[start] : undefined;
    return only?.kind === 'function' || only?.kind === 'module' ? { node: only, number: start } : { node: value, number };
  }

  #why({ node, variable }: Line, { value, role, key, number }: Child): string {
    const name = String(key);
    if (role === 'variable' && node.kind === 'function') {
      const users = this.#readers.usersOf(node, name);
      return isNode(value) && number === undefined ? 'counted before' : users;
    }
    const read = variable === undefined ? undefined : this.#readers.readersOf(variable.reader, variable.name, name);
    return read ?? reasonOf(role, node, name);
  }

  #bytesOf(number: number): number {
    const { value, asset } = this.#census.bytesOf(number);
    return value + asset;
  }

  #sizeOf(node: Node, number: number): Pick<CaptureNode, 'how' | 'bytes'> {
    const { value, asset } = this.#census.bytesOf(number);
    return { how: asset > value && node.kind !== 'function' ? 'asset' : howOf(node), bytes: value + asset };
  }
}

const howOf = (value: Value): CaptureNode['how'] =>
  isNode(value) && (value.kind === 'intrinsic' || value.kind === 'module') ? 'reference' : 'value';

function replacePlain(chosen: Child[], child: Child): void {
  const at = chosen.findLastIndex(({ isRemarkable }) => !isRemarkable);
  if (at === -1) return;
  chosen.splice(at, 1);
  chosen.push(child);
}

function restOf({ path }: Line, count: number, bytes: number): CaptureNode {
  const name = `… and ${count.toLocaleString('en')} more`;
  return { name, path: `${printPath(path)} → ${name}`, how: 'value', type: '', bytes, why: '', flags: [], children: [] };
}

function stepTo(parent: Path, role: Role, name: string): Path {
  if (role === 'variable') return { parent, label: name === 'this' ? 'this' : `captured "${name}"` };
  const isKey =
    !name.startsWith('[') && (role === 'property' || role === 'element' || role === 'getter' || role === 'private field');
  return { parent, label: name, isKey };
}
