import type { CapturedClosure } from '../graph/closure.ts';
import type { GraphSizes } from '../graph/graph-sizes.ts';
import type { Node, Value } from '../graph/nodes.ts';
import { isNode } from '../graph/nodes.ts';
import { printBytes } from './print.ts';
import type { Readers } from './readers.ts';
import type { Flag } from './report.ts';

/** With fewer, there is nothing to flag. */
const manyMembers = 1_000;
const manyExports = 3;

/** Finds values in a graph that should be captured differently. */
export class Flags {
  readonly #captured: CapturedClosure;
  readonly #census: GraphSizes;
  readonly #readers: Readers;

  constructor(captured: CapturedClosure, census: GraphSizes, readers: Readers) {
    this.#captured = captured;
    this.#census = census;
    this.#readers = readers;
  }

  /** Returns the flags of the value that a node holds under a key, or of the node itself if `key` is undefined. */
  ofSecrets(holder: Node, key: string | number | undefined): Flag[] {
    return this.#captured.secrets
      .filter((secret) => secret.holder === holder && secret.key === key)
      .map(({ what, fix }) => ({ kind: 'credentials', message: `${what}. Fix: ${fix}` }));
  }

  ofNode(node: Node, number: number): Flag[] {
    const excess = this.#census.excessOf(number);
    const flags = this.ofSecrets(node, undefined);
    if (excess === undefined) return flags;
    const size = printBytes(this.#census.bytesOf(number)[excess]);
    const message =
      excess === 'value'
        ? `${size} as text, which each replica parses at its start. Fix: keep numbers in a typed array, which travels as a file, or read them from a file in \`setup\``
        : `${size} of binary data in each bundle. Fix: read it in \`setup\`, from a file or a volume that the replicas have`;
    return [...flags, { kind: 'large', message }];
  }

  /** Flags a captured variable if its functions read only a few of its members. */
  ofVariable(value: Value, name: string, reader: Node): Flag[] {
    if (!isNode(value)) return [];
    if (this.#captured.wholeModules.has(value) || isWrapper(value)) return this.#ofModule(value, name, reader);
    const length = lengthOf(value);
    if (length < manyMembers) return [];
    const { functions, keys } = this.#readers.fixedKeys(reader, name);
    // If anything else refers to the value, it travels anyway.
    if (keys === undefined || keys.size > length / 10 || value.references > functions.length) return [];
    if (![...keys].every((key) => isOwnKey(value, key))) return [];
    const read = [...keys].slice(0, 5).map((key) => (/^\d/.test(key) ? `${name}[${key}]` : `${name}.${key}`));
    const all = `all ${length.toLocaleString('en')} ${value.kind === 'object' ? 'members' : 'elements'} travel`;
    const message = `${all}, and only \`${read.join('`, `')}\` ${read.length === 1 ? 'is' : 'are'} read. Fix: keep that in a variable outside the function`;
    return [{ kind: 'barely-used', message }];
  }

  #ofModule(value: Node, name: string, reader: Node): Flag[] {
    const { keys } = this.#readers.fixedKeys(reader, name);
    const count =
      value.properties.length === 0 ? lengthOf(value) : value.properties.filter(({ key }) => key !== '__esModule').length;
    const used = keys?.size ?? 0;
    if (count - used < manyExports) return [];
    const which =
      used === 0 ? 'the function uses it as an object' : `only ${[...(keys ?? [])].slice(0, 5).join(', ')} of them used`;
    const message = `the whole module travels, with all its ${count} exports; ${which}. Fix: import by name what the function uses`;
    return [{ kind: 'whole-module', message }];
  }
}

/** Whether a node is an ES module compiled to CommonJS, with all its exports as accessors. */
const isWrapper = ({ kind, properties }: Node): boolean =>
  kind === 'object' && properties.some(({ key }) => key === '__esModule');

function lengthOf(node: Node): number {
  if (node.kind === 'array' || node.kind === 'view') return node.length ?? 0;
  if (node.kind === 'map' || node.kind === 'set') return node.entries.length;
  return node.kind === 'object' ? (node.values ?? node.properties).length : 0;
}

/** Whether reading the key gives a single member, and not a method that uses all the others. */
function isOwnKey(node: Node, key: string): boolean {
  if (node.kind === 'map' || node.kind === 'set') return key === 'size';
  if (node.kind === 'array') return /^\d+$|^length$/.test(key);
  if (node.kind === 'view') return /^\d+$|^(?:length|byteLength|byteOffset)$/.test(key);
  if (node.kind !== 'object') return false;
  return node.keys.includes(key) || node.properties.some((property) => property.key === key && !property.accessor);
}
