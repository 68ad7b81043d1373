import type { ArrayNode, Integrity, ObjectNode, PrivateState, Property, Value } from './nodes.ts';
import type { Path } from './path.ts';

/** All objects in compact form share this list. */
const noProperties: Property[] = Object.freeze([]) as never;

abstract class CompactNode implements Path {
  readonly parent: Path | undefined;
  readonly label: string | symbol;
  readonly isKey: boolean;
  references = 0;
  prototype: Value = undefined;
  properties: Property[] = noProperties;
  integrity: Integrity = 'extensible';
  privates: readonly PrivateState[] | undefined = undefined;
  values: Value[] | undefined = undefined;
  row = -1;
  mark = 0;

  constructor({ parent, label, isKey = false }: Path) {
    this.parent = parent;
    this.label = label;
    this.isKey = isKey;
  }

  get path(): Path {
    return this;
  }

  abstract keyOf(index: number): string;

  expand(): void {
    if (this.properties === noProperties) this.properties = [];
    if (this.values === undefined) return;
    const flags = { accessor: false, get: undefined, set: undefined, writable: true, enumerable: true, configurable: true };
    for (const [index, value] of this.values.entries()) this.properties.push({ key: this.keyOf(index), value, ...flags });
    this.values = undefined;
  }
}

export class CompactObject extends CompactNode implements ObjectNode {
  readonly kind = 'object';
  keys: readonly string[] = [];

  keyOf(index: number): string {
    return this.keys[index] ?? '';
  }
}

export class CompactArray extends CompactNode implements ArrayNode {
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
