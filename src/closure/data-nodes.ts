import type { Integrity, Path, PrivateState, Property, Value } from './graph.ts';

/** Every object in the compact form has this list. */
const noProperties: Property[] = Object.freeze([]) as never;

/**
 * A node of which there may be millions, so it is its own path and, where all properties are plain, holds no more than
 * keys and values.
 */
abstract class PlainNode implements Path {
  readonly parent: Path | undefined;
  readonly label: string | symbol;
  readonly isKey: boolean;
  references = 0;
  prototype: Value = undefined;
  properties: Property[] = noProperties;
  integrity: Integrity = 'extensible';
  privates: readonly PrivateState[] | undefined = undefined;
  /** The values of properties that are all as an assignment makes them; undefined: `properties` has them. */
  values: Value[] | undefined = undefined;
  /** Its number in the table of data; -1: it is written as code. */
  row = -1;
  /** Its number in the last walk over the graph that counted it. */
  mark = 0;

  constructor({ parent, label, isKey = false }: Path) {
    this.parent = parent;
    this.label = label;
    this.isKey = isKey;
  }

  get path(): Path {
    return this;
  }

  /** The key of each of the `values`. */
  abstract keyOf(index: number): string;

  /** Puts the properties down one by one. */
  expand(): void {
    if (this.properties === noProperties) this.properties = [];
    if (this.values === undefined) return;
    const flags = { accessor: false, get: undefined, set: undefined, writable: true, enumerable: true, configurable: true };
    for (const [index, value] of this.values.entries()) this.properties.push({ key: this.keyOf(index), value, ...flags });
    this.values = undefined;
  }
}

export class ObjectNode extends PlainNode {
  readonly kind = 'object';
  keys: readonly string[] = [];

  keyOf(index: number): string {
    return this.keys[index] ?? '';
  }
}

export class ArrayNode extends PlainNode {
  readonly kind = 'array';
  readonly length: number;

  constructor(path: Path, length: number) {
    super(path);
    this.length = length;
  }

  keyOf(index: number): string {
    return String(index);
  }
}

export type DataNode = ObjectNode | ArrayNode;
