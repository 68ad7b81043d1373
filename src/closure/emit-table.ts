import type { Asset } from './emit-assets.ts';
import { printKey } from './emit-values.ts';
import { type DataNode, isNode, type Node, type Value } from './graph.ts';

/** From so many values on, data lies in a table, which takes less time to write and to load than code. */
const tableValues = 5_000;
/** Lines of the table are read one by one, so none of them is long. */
const rowsInLine = 20_000;

/** Rows of one form: objects with the same keys and prototype, or arrays. */
interface Group {
  readonly keys: readonly string[] | undefined;
  readonly prototype: Value;
  readonly nodes: DataNode[];
  /** Of objects: the keys under which every row of the group holds another row. */
  readonly rowKeys: readonly boolean[];
}

/** A column's values, with `null` for what JSON can't say; that follows as column, row, kind and content. */
interface Line {
  readonly group: number;
  readonly count: number;
  readonly columns: unknown[][];
  readonly rest: unknown[];
}

/**
 * Plain data as a table in a file of JSON lines. Rows hold primitives and each other by number; what else they hold is
 * put in once the bundle has made it.
 */
export class DataTable {
  /** Values of another kind that rows hold. */
  readonly others: Node[] = [];
  readonly #otherNumbers = new Map<Node, number>();
  readonly #groups: Group[];

  /** A table of those objects that code which makes other values doesn't read; undefined where they are few. */
  static of(data: readonly DataNode[], inText: readonly Value[]): DataTable | undefined {
    const kept = reachableData(inText);
    const rows = data.filter((node) => canBeRow(node) && !kept.has(node));
    const count = rows.reduce((sum, { values }) => sum + 1 + (values?.length ?? 0), 0);
    return count < tableValues ? undefined : new DataTable(rows);
  }

  private constructor(rows: readonly DataNode[]) {
    const groups = groupsOf(rows);
    let row = 0;
    for (const { nodes } of groups) for (const node of nodes) node.row = row++;
    this.#groups = groups.map(({ keys = [], nodes, prototype, isArray }) => ({
      keys: isArray ? undefined : keys,
      prototype,
      nodes,
      rowKeys: isArray ? [] : keys.map((_, column) => nodes.every(({ values }) => isRow(values?.[column]))),
    }));
  }

  /** The table's file. Finds the other values on the way. */
  asset(name: string): Asset {
    const lines: Buffer[] = [];
    for (const [index, group] of this.#groups.entries()) {
      for (let start = 0; start < group.nodes.length; start += rowsInLine) {
        const line = this.#line(index, group, group.nodes.slice(start, start + rowsInLine));
        lines.push(Buffer.from(`${JSON.stringify([line.group, line.count, line.columns, line.rest])}\n`));
      }
    }
    return { name, bytes: Buffer.concat(lines) };
  }

  /** The forms of the groups: keys, which of them hold rows, and the function that makes a row of a line's columns. */
  forms(): string {
    const forms = this.#groups.map(({ keys, rowKeys }) => {
      if (keys === undefined) return '[null, []]';
      const fields = keys.map((key, column) => `${printKey(key, String)}: ${rowKeys[column] ? 'null' : `c[${column}][i]`}`);
      return `[${JSON.stringify(keys)}, ${JSON.stringify(rowKeys)}, (c, i) => ({ ${fields.join(', ')} })]`;
    });
    return `[${forms.join(', ')}]`;
  }

  /** Ranges of rows whose prototype is another than usual. */
  prototypes(): { readonly start: number; readonly end: number; readonly prototype: Value }[] {
    return this.#groups.flatMap(({ nodes, prototype }) => {
      const start = nodes[0]?.row ?? 0;
      return prototype === undefined ? [] : [{ start, end: start + nodes.length, prototype }];
    });
  }

  #line(index: number, group: Group, nodes: readonly DataNode[]): Line {
    const rest: unknown[] = [];
    const { keys, rowKeys } = group;
    const columns =
      keys === undefined
        ? nodes.map((node, row) => this.#column(node.values ?? [], row, rest))
        : keys.map((_, column) => {
            const values = nodes.map(({ values: own }) => own?.[column]);
            return rowKeys[column] ? values.map((value) => (value as DataNode).row) : this.#column(values, column, rest);
          });
    return { group: index, count: nodes.length, columns, rest };
  }

  #column(values: readonly Value[], column: number, rest: unknown[]): unknown[] {
    const printed = new Array<unknown>(values.length);
    for (let index = 0; index < values.length; index++) {
      const value = values[index];
      if (isJson(value)) printed[index] = value;
      else {
        printed[index] = null;
        rest.push(column, index, ...this.#special(value));
      }
    }
    return printed;
  }

  #special(value: Value): [kind: string, content: unknown] {
    if (isNode(value)) return isRow(value) ? ['row', value.row] : ['other', this.#numberOf(value)];
    if (value === undefined) return ['undefined', 0];
    return typeof value === 'bigint' ? ['bigint', String(value)] : ['number', Object.is(value, -0) ? '-0' : String(value)];
  }

  #numberOf(node: Node): number {
    const known = this.#otherNumbers.get(node);
    if (known !== undefined) return known;
    this.#otherNumbers.set(node, this.others.length);
    return this.others.push(node) - 1;
  }
}

const canBeRow = ({ values, integrity, privates }: DataNode): boolean =>
  values !== undefined && integrity === 'extensible' && privates === undefined;

const isJson = (value: Value): boolean =>
  typeof value === 'string' ||
  typeof value === 'boolean' ||
  value === null ||
  (typeof value === 'number' && Number.isFinite(value) && !Object.is(value, -0));

export const isRow = (value: Value): value is DataNode =>
  isNode(value) && (value.kind === 'object' || value.kind === 'array') && value.row >= 0;

/** Plain data that can be reached from values through plain data. */
function reachableData(values: readonly Value[]): Set<DataNode> {
  const found = new Set<DataNode>();
  const pending = [...values];
  for (let index = 0; index < pending.length; index++) {
    const node = pending[index];
    if (!isNode(node) || (node.kind !== 'object' && node.kind !== 'array') || found.has(node)) continue;
    found.add(node);
    for (const value of node.values ?? []) pending.push(value);
  }
  return found;
}

interface Alike {
  readonly keys: readonly string[] | undefined;
  readonly prototype: Value;
  readonly isArray: boolean;
  readonly nodes: DataNode[];
}

/** Groups objects by keys and prototype; neighbours are mostly alike, so that the last group is tried first. */
function groupsOf(rows: readonly DataNode[]): Alike[] {
  const groups = new Map<string, Alike>();
  const numbers = new Map<Value, number>();
  let last: Alike | undefined;
  for (const node of rows) {
    const { prototype } = node;
    const isArray = node.kind === 'array';
    const keys = node.kind === 'array' ? undefined : node.keys;
    if (last === undefined || last.keys !== keys || last.prototype !== prototype || last.isArray !== isArray) {
      const number = numbers.get(prototype) ?? numbers.size;
      numbers.set(prototype, number);
      const form = `${number} ${isArray ? '' : JSON.stringify(keys)}`;
      last = groups.get(form) ?? { keys, prototype, isArray, nodes: [] };
      groups.set(form, last);
    }
    last.nodes.push(node);
  }
  return [...groups.values()];
}
