import type { CapturedClosure } from './closure.ts';
import { forEachEdge } from './edges.ts';
import { extentOf, isNode, type Node, type Value } from './nodes.ts';

/** Binary data of at least this size gets its own file. */
const assetBytes = 4_096;

/** Deep in the report, data below this size is left out, unless it contains code, modules, binary files or noted nodes. */
const remarkableBytes = 64 * 1_024;

const largeValue = 2 ** 20;
const largeAsset = 64 * 2 ** 20;

/** Each walk continues numbering where the previous one stopped, so marks need no reset. */
let nextMark = 1;

/**
 * All nodes of a graph, once each, in breadth-first order: each belongs to the shortest path to it, and a node's children have
 * consecutive numbers. There may be millions, so their data is in arrays indexed by node number.
 */
export class GraphSizes {
  readonly nodes: Node[] = [];
  /** The numbers of the roots, and of functions that only another function's text needs. */
  readonly roots: number[] = [];
  readonly #firstMark = nextMark;
  readonly #numbers = new Map<Node, number>();
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #own: number[] = [];
  readonly #values: Float64Array;
  readonly #assets: Float64Array;
  readonly #remarkable: Uint8Array;

  /** `noted`: nodes that the report has a remark about. */
  constructor({ roots, functions, changes }: CapturedClosure, noted: ReadonlySet<Node>) {
    for (const root of [...roots.values(), ...changes, ...functions]) {
      if (!isNode(root) || this.numberOf(root) !== undefined) continue;
      this.roots.push(this.nodes.length);
      this.#add(root);
      this.#walk();
    }
    nextMark += this.nodes.length;
    this.#values = new Float64Array(this.nodes.length);
    this.#assets = new Float64Array(this.nodes.length);
    this.#remarkable = new Uint8Array(this.nodes.length);
    this.#sumUp(noted);
  }

  numberOf(node: Node): number | undefined {
    if (node.kind !== 'object' && node.kind !== 'array') return this.#numbers.get(node);
    return node.mark >= this.#firstMark ? node.mark - this.#firstMark : undefined;
  }

  /** Returns the range of a node's child numbers; `end` is exclusive. */
  childrenOf(number: number): { readonly start: number; readonly end: number } {
    return { start: this.#starts[number] ?? 0, end: this.#ends[number] ?? 0 };
  }

  /** Returns the bytes that a node and everything below it add to the bundle's text and to its binary files. */
  bytesOf(number: number): { readonly value: number; readonly asset: number } {
    return { value: this.#values[number] ?? 0, asset: this.#assets[number] ?? 0 };
  }

  /** Whether a node, or anything below it, is worth a line in the report. */
  isRemarkable(number: number): boolean {
    return this.#remarkable[number] === 1;
  }

  /** Returns which limit a node exceeds, if it is the innermost node that exceeds it. Undefined for all others. */
  excessOf(number: number): 'value' | 'asset' | undefined {
    const { value, asset } = this.bytesOf(number);
    if (value <= largeValue && asset <= largeAsset) return undefined;
    const { start, end } = this.childrenOf(number);
    let childValue = 0;
    let childAsset = 0;
    for (let child = start; child < end; child++) {
      childValue = Math.max(childValue, this.#values[child] ?? 0);
      childAsset = Math.max(childAsset, this.#assets[child] ?? 0);
    }
    if (value > largeValue && childValue <= largeValue) return 'value';
    const isOne = childAsset <= largeAsset || this.nodes[number]?.kind === 'view';
    return asset > largeAsset && isOne ? 'asset' : undefined;
  }

  #walk(): void {
    let own = 0;
    const visit = (value: Value): void => {
      if (typeof value === 'string') own += value.length;
      else {
        own += 8;
        if (typeof value === 'object' && value !== null && this.numberOf(value) === undefined) this.#add(value);
      }
    };
    for (let at = this.#starts.length; at < this.nodes.length; at++) {
      const node = this.nodes[at] as Node;
      this.#starts.push(this.nodes.length);
      own = ownBytes(node);
      forEachEdge(node, visit);
      this.#ends.push(this.nodes.length);
      this.#own.push(own);
    }
  }

  #add(node: Node): void {
    if (node.kind === 'object' || node.kind === 'array') node.mark = this.#firstMark + this.nodes.length;
    else this.#numbers.set(node, this.nodes.length);
    this.nodes.push(node);
  }

  #sumUp(noted: ReadonlySet<Node>): void {
    const [values, assets, remarkable] = [this.#values, this.#assets, this.#remarkable];
    for (let at = this.nodes.length - 1; at >= 0; at--) {
      const node = this.nodes[at] as Node;
      const binary = node.kind === 'buffer' ? extentOf(node).end - extentOf(node).start : 0;
      let value = (this.#own[at] ?? 0) + (binary < assetBytes ? binary : 0);
      let asset = binary < assetBytes ? 0 : binary;
      let isRemarkable = node.kind === 'function' || node.kind === 'module' || noted.has(node) || asset > 0;
      const end = this.#ends[at] ?? 0;
      for (let child = this.#starts[at] ?? 0; child < end; child++) {
        value += values[child] ?? 0;
        asset += assets[child] ?? 0;
        isRemarkable ||= remarkable[child] === 1;
      }
      values[at] = value;
      assets[at] = asset;
      remarkable[at] = isRemarkable || value + asset >= remarkableBytes ? 1 : 0;
    }
  }
}

function ownBytes(node: Node): number {
  if (node.kind === 'function') return node.syntax.text.length;
  let bytes = 8;
  for (const { key } of node.properties) bytes += typeof key === 'string' ? key.length : 8;
  return bytes;
}
