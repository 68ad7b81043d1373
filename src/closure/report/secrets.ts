import type { CapturedClosure, Secret } from '../graph/closure.ts';
import { forEachEdge, type Role } from '../graph/edges.ts';
import { type DataNode, type FunctionNode, isNode, type Node, type Value } from '../graph/nodes.ts';
import { type Path, printPath } from '../graph/path.ts';
import type { Problem } from '../graph/problem.ts';
import { claimOf, isCredible, shapeOf, shapesIn } from '../graph/secret-rules.ts';

/** Copies the printable part of a problem, so that the graph can be garbage-collected. */
export const plainProblem = ({ path, what, fix }: Problem): Problem => ({ path, what, fix });

export interface Secrets {
  /** Values that look like credentials, by shape or name. */
  readonly credentials: readonly Secret[];
  /** Objects that hold this process's environment. */
  readonly environments: readonly Secret[];
}

const credentialFix = 'read it from `process.env` inside the function, or in `setup`';
const environmentFix =
  'use `process.env` by itself: it is read in the replica, also through a variable; the option `env` of a deploy adds to it';

/** Further findings would say nothing new. */
const maxFound = 100;

/** Searches all captured values. Of similar objects in a collection, the first one stands for all. */
export function findSecrets(captured: CapturedClosure): Secrets {
  return new Scan(captured).found();
}

/** Shorter strings aren't credentials. */
const shortest = 8;
const longKey = 16;

class Scan {
  readonly #credentials: Secret[] = [];
  readonly #environments: Secret[] = [];
  readonly #env = new Map(Object.entries(process.env));
  readonly #seen = new Set<Node>();
  readonly #pending: Node[] = [];
  readonly #variables = new Set<unknown>();
  /** By holder of similar objects: the names that were found there. */
  readonly #groups = new Map<Path | Node, Set<string>>();
  #lastKeys: readonly string[] = [];
  #left = 0;

  constructor({ functions, data, evaluated, changes }: CapturedClosure) {
    for (const fn of functions) this.#meet(fn);
    for (const value of [...evaluated, ...changes]) this.#meet(value);
    // There may be millions of these. The list is complete, so there is no need to track which were seen.
    for (const node of data) {
      if (node.values === undefined || node.privates !== undefined) this.#readData(node);
      else if (node.kind === 'array') this.#readValues(node, undefined, node.values);
      else this.#readValues(node, node.keys, node.values);
      if (node.prototype !== undefined) this.#meet(node.prototype);
    }
    for (let node = this.#pending.pop(); node !== undefined; node = this.#pending.pop()) this.#readNode(node);
  }

  found(): Secrets {
    const [first] = this.#credentials;
    if (this.#left > 0 && first !== undefined) {
      this.#credentials.push({ ...first, key: undefined, what: `and ${this.#left} more that look like credentials` });
    }
    return { credentials: this.#credentials, environments: this.#environments };
  }

  #meet(value: Value): void {
    if (!isNode(value)) return;
    // Objects in compact form are in the list of data.
    if ((value.kind === 'object' || value.kind === 'array') && value.values !== undefined) return;
    if (this.#seen.has(value)) return;
    this.#seen.add(value);
    this.#pending.push(value);
  }

  /** Reads an element of a list. Other values may refer to it too. */
  #readData(node: DataNode): void {
    if (node.values === undefined) this.#meet(node);
    else this.#readNode(node);
  }

  #readValues(node: Node, keys: readonly string[] | undefined, values: readonly Value[]): void {
    if (keys !== undefined && this.#isEnvironment(node, keys, values)) return;
    if (keys !== undefined && keys !== this.#lastKeys) this.#readKeys(node, keys);
    for (let index = 0; index < values.length; index++) {
      const value = values[index];
      if (typeof value === 'string') {
        if (value.length >= shortest)
          this.#readText(value, node, keys === undefined ? 'element' : 'property', keys?.[index] ?? index);
      } else if (typeof value === 'object') this.#meet(value);
    }
  }

  /** Objects that look alike share their keys. */
  #readKeys(node: Node, keys: readonly string[]): void {
    this.#lastKeys = keys;
    for (const key of keys) {
      const shape = key.length < longKey ? undefined : shapeOf(key);
      if (shape !== undefined) this.#note(shape, key, { holder: node, role: 'key', key: 'key' });
    }
  }

  #readNode(node: Node): void {
    if (node.kind === 'function') this.#readFunction(node);
    const plain = node.properties.filter(({ key, accessor }) => typeof key === 'string' && !accessor);
    const entries: readonly (readonly [Value, Value])[] =
      node.kind === 'map' ? node.entries : plain.map(({ key, value }) => [key, value]);
    const keys = entries.map(([key]) => (typeof key === 'string' ? key : ''));
    if (
      this.#isEnvironment(
        node,
        keys,
        entries.map(([, value]) => value),
      )
    )
      return;
    forEachEdge(node, (value, role, key) => {
      if (typeof value !== 'string') this.#meet(value);
      else if (value.length >= shortest && role !== 'variable') this.#readText(value, node, role, key);
    });
  }

  #readFunction(node: FunctionNode): void {
    for (const [name, { value, binding }] of node.captures) {
      if (typeof value !== 'string' || value.length < shortest || this.#variables.has(binding ?? node)) continue;
      if (binding !== undefined) this.#variables.add(binding);
      this.#readText(value, node, 'variable', name);
    }
    for (const { what, start, value } of shapesIn(node.syntax.text)) {
      if (this.#variables.has(value)) continue;
      this.#variables.add(value);
      const line = node.syntax.text.slice(0, start).split('\n').length;
      const at = { parent: node.path, label: `line ${line} of its text` };
      this.#credentials.push({ path: printPath(at), ...wordsFor(what, value), holder: node, key: undefined });
    }
  }

  #readText(value: string, holder: Node, role: Role, key: string | number): void {
    const shape = shapeOf(value);
    if (shape !== undefined) return this.#note(shape, value, { holder, role, key });
    const name = nameOf(role, key);
    const claim = name === '' ? 'none' : claimOf(name);
    if (claim !== 'none') {
      if (isCredible(value, claim)) this.#note(`what its name says is a credential`, value, { holder, role, key });
    } else if (role !== 'variable' && isHeldAsSecret(holder, name) && isCredible(value, 'maybe')) {
      this.#note('what the name around it says is a credential', value, { holder, role, key });
    }
  }

  #note(what: string, value: string, { holder, role, key }: { holder: Node; role: Role; key: string | number }): void {
    const { parent, label } = holder.path;
    const group = isIndex(label) && parent !== undefined ? parent : holder;
    const names = this.#groups.get(group) ?? new Set();
    this.#groups.set(group, names);
    const name = role === 'property' || role === 'variable' ? String(key) : role;
    if (names.has(name)) return;
    if (this.#credentials.length >= maxFound) {
      this.#left++;
      return;
    }
    names.add(name);
    this.#credentials.push({ path: printPath(pathOf(holder, role, key)), ...wordsFor(what, value), holder, key });
  }

  /** Whether there are many keys, and more than half of them are environment variables of this process with the same values. */
  #isEnvironment(holder: Node, keys: readonly string[], values: readonly Value[]): boolean {
    const { length } = keys;
    if (length < 5 || length > 2 * this.#env.size) return false;
    let same = 0;
    for (let index = 0; index < length; index++) {
      const value = values[index];
      if (typeof value === 'string' && this.#env.get(keys[index] ?? '') === value) same++;
      else if (index >= 2 * same + length / 2) return false;
    }
    if (same < 5 || same <= length / 2) return false;
    const what = `a copy of \`process.env\` (${same} variables of this process, with whatever secrets are among them)`;
    this.#environments.push({ path: printPath(holder.path), what, fix: environmentFix, holder, key: undefined });
    return true;
  }
}

/** Never contains the value itself. Of a long value it shows the first characters, so that its owner recognizes it. */
function wordsFor(what: string, value: string): Pick<Problem, 'what' | 'fix'> {
  const shown = value.length < 16 ? '' : `"${value.slice(0, 4)}…", `;
  return { what: `${what} (${shown}${value.length} characters)`, fix: credentialFix };
}

function isIndex(label: string | symbol): boolean {
  if (typeof label !== 'string') return false;
  const first = label.charCodeAt(0);
  return (first >= 48 && first <= 57) || label.startsWith('Set entry');
}

/** Returns the user's name for a value, or an empty string if it has none. */
function nameOf(role: Role, key: string | number): string {
  if (typeof key === 'number' || role === 'element' || role === 'part' || role === 'key') return '';
  if (role === 'entry') return key.startsWith('Map entry ') ? key.slice('Map entry '.length) : '';
  return role === 'variable' ? (key.split('.').at(-1) ?? key) : key;
}

const harmless = /(?:user|name|mail|host|url|uri|endpoint|region|type|id|version|account|scope|issuer)$/i;

/** Whether a collection has a name such as `secrets`, which then applies to all its values. */
function isHeldAsSecret({ path, kind }: Node, name: string): boolean {
  if (kind === 'function' || kind === 'made' || typeof path.label !== 'string' || isIndex(path.label)) return false;
  const held = path.label.replace(/^(?:captured "|Map entry )|"$/g, '');
  return claimOf(held) === 'secret' && !harmless.test(name);
}

function pathOf(holder: Node, role: Role, key: string | number): Path {
  const parent = holder.path;
  if (role === 'variable') return { parent, label: `captured "${key}"` };
  if (role === 'property' || role === 'element' || role === 'private field') return { parent, label: String(key), isKey: true };
  return { parent, label: String(key) };
}
