import { type DataNode, isNode, type Node, type Value } from '../graph/nodes.ts';
import type { Asset } from './assets.ts';
import { printKey } from './values.ts';

/** With this many values, data goes into a table, which is faster to write and load than code. */
const tableValues = 5_000;
/** The table is parsed line by line, so this limits how long a line gets. */
const rowsInLine = 20_000;

/** Rows of one form. They can be created once the rows of earlier batches exist. */
interface Batch {
  /** Undefined for arrays. */
  readonly keys: readonly string[] | undefined;
  readonly prototype: Value;
  readonly nodes: DataNode[];
}

/** How a column of objects, or an array, is written. */
type Mode =
  /** Values that JSON can represent. All others are listed separately. */
  | 'values'
  /** Numbers of rows that already exist. */
  | 'rows'
  /** Numbers of rows, some of which come later. */
  | 'later';

/**
 * Plain data as a table in a JSON Lines file. Rows hold primitives, and refer to other rows by number. Most of these come
 * before them, so that each row is created in one go. Other values are filled in once the bundle has created them.
 */
export class DataTable {
  /** Values of other kinds that rows hold. */
  readonly others: Node[] = [];
  readonly #otherNumbers = new Map<Node, number>();
  readonly #batches: readonly Batch[];
  readonly #forms = new Map<string, number>();

  /** Returns a table of the objects that no code reads while it creates other values, or undefined if there are too few. */
  static of(data: readonly DataNode[], inText: readonly Value[]): DataTable | undefined {
    const kept = reachableData(inText);
    const rows = data.filter((node) => canBeRow(node) && !kept.has(node));
    const count = rows.reduce((sum, { values }) => sum + 1 + (values?.length ?? 0), 0);
    return count < tableValues ? undefined : new DataTable(rows);
  }

  private constructor(rows: readonly DataNode[]) {
    this.#batches = batchesOf(rows);
    let row = 0;
    for (const { nodes } of this.#batches) for (const node of nodes) node.row = row++;
  }

  /** Returns the table's file. Collects the other values and the forms along the way. */
  asset(name: string): Asset {
    const lines: Buffer[] = [];
    for (const batch of this.#batches) {
      for (let start = 0; start < batch.nodes.length; start += rowsInLine) {
        lines.push(Buffer.from(`${JSON.stringify(this.#line(batch, batch.nodes.slice(start, start + rowsInLine)))}\n`));
      }
    }
    return { name, bytes: Buffer.concat(lines) };
  }

  /** Returns for each form: its keys, the mode of each column, and the function that creates a row from the columns. */
  forms(): string {
    return `[${[...this.#forms.keys()].join(', ')}]`;
  }

  /** Returns the ranges of rows whose prototype isn't the default. */
  prototypes(): { readonly start: number; readonly end: number; readonly prototype: Value }[] {
    return this.#batches.flatMap(({ nodes, prototype }) => {
      const start = nodes[0]?.row ?? 0;
      return prototype === undefined ? [] : [{ start, end: start + nodes.length, prototype }];
    });
  }

  /** Returns `[form, count, columns, rest]`. `rest` is a flat list of column, row, kind and content. */
  #line({ keys }: Batch, nodes: readonly DataNode[]): readonly unknown[] {
    const rest: unknown[] = [];
    const first = nodes[0]?.row ?? 0;
    const columns =
      keys?.map((_, column) => nodes.map(({ values }) => values?.[column])) ?? nodes.map(({ values = [] }) => values);
    const isArray = keys === undefined;
    const modes = isArray ? [commonMode(columns, first)] : columns.map((column) => modeOf(column, first));
    const printed = columns.map((values, column) => this.#column(values, column, { mode: modes[isArray ? 0 : column], rest }));
    return [this.#form(keys, modes), nodes.length, printed, rest];
  }

  #form(keys: readonly string[] | undefined, modes: readonly Mode[]): number {
    const fields = keys?.map((key, column) => {
      const value = { values: `c[${column}][i]`, rows: `r[c[${column}][i]]`, later: 'null' }[modes[column] ?? 'values'];
      return `${printKey(key, String)}: ${value}`;
    });
    const make = fields === undefined ? '' : `, (c, i, r) => ({ ${fields.join(', ')} })`;
    const form = `[${JSON.stringify(keys ?? null)}, ${JSON.stringify(modes)}${make}]`;
    const number = this.#forms.get(form) ?? this.#forms.size;
    this.#forms.set(form, number);
    return number;
  }

  #column(values: readonly Value[], column: number, { mode, rest }: { mode: Mode | undefined; rest: unknown[] }): unknown[] {
    if (mode !== 'values') return values.map((value) => (value as DataNode).row);
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

function modeOf(values: readonly Value[], first: number): Mode {
  let mode: Mode = 'rows';
  for (const value of values) {
    if (!isRow(value)) return 'values';
    if (value.row >= first) mode = 'later';
  }
  return mode;
}

/** Returns the mode shared by all arrays of a line. */
const commonMode = (arrays: readonly (readonly Value[])[], first: number): Mode =>
  arrays.every((values) => modeOf(values, first) === 'rows') ? 'rows' : 'values';

const canBeRow = ({ values, integrity, privates }: DataNode): boolean =>
  values !== undefined && integrity === 'extensible' && privates === undefined;

const isJson = (value: Value): boolean =>
  typeof value === 'string' ||
  typeof value === 'boolean' ||
  value === null ||
  (typeof value === 'number' && Number.isFinite(value) && !Object.is(value, -0));

export const isRow = (value: Value): value is DataNode =>
  isNode(value) && (value.kind === 'object' || value.kind === 'array') && value.row >= 0;

/** Returns the plain data that is reachable from values through plain data only. */
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

/** With more batches than this, reading them takes longer than linking rows afterwards. */
const manyBatches = 10_000;

/**
 * Splits rows into batches by form, prototype and height. A row's height is one more than that of the highest row that it
 * holds, as far as cycles allow. Objects were found top down, so heights are computed from the end.
 */
function batchesOf(rows: readonly DataNode[]): readonly Batch[] {
  const heights = new Int32Array(rows.length);
  for (const [index, node] of rows.entries()) node.row = index;
  for (let index = rows.length - 1; index >= 0; index--) {
    let height = 0;
    for (const value of rows[index]?.values ?? []) {
      if (isRow(value) && value.row > index) height = Math.max(height, (heights[value.row] ?? 0) + 1);
    }
    heights[index] = height;
  }
  const batches = partRows(rows, heights);
  return batches.length > manyBatches ? partRows(rows, new Int32Array(rows.length)) : batches;
}

function partRows(rows: readonly DataNode[], heights: Int32Array): readonly Batch[] {
  const forms = new FormNumbers();
  const batches = new Map<number, Batch & { height: number }>();
  for (let index = rows.length - 1; index >= 0; index--) {
    const node = rows[index] as DataNode;
    const height = heights[index] ?? 0;
    const id = height * 2 ** 20 + forms.numberOf(node);
    const known = batches.get(id);
    if (known !== undefined) known.nodes.push(node);
    else {
      const keys = node.kind === 'array' ? undefined : node.keys;
      batches.set(id, { keys, prototype: node.prototype, nodes: [node], height });
    }
  }
  return [...batches.values()].sort((a, b) => a.height - b.height);
}

/** Numbers the forms of rows. Neighbors mostly have the same form, so the last one is tried first. */
class FormNumbers {
  readonly #numbers = new Map<string, number>();
  readonly #prototypes = new Map<Value, number>();
  #last: { readonly keys: readonly string[] | undefined; readonly prototype: Value; readonly number: number } | undefined;

  numberOf(node: DataNode): number {
    const { prototype } = node;
    const keys = node.kind === 'array' ? undefined : node.keys;
    if (this.#last !== undefined && this.#last.keys === keys && this.#last.prototype === prototype) return this.#last.number;
    const id = this.#prototypes.get(prototype) ?? this.#prototypes.size;
    this.#prototypes.set(prototype, id);
    const form = `${id} ${JSON.stringify(keys ?? null)}`;
    const number = this.#numbers.get(form) ?? this.#numbers.size;
    this.#numbers.set(form, number);
    this.#last = { keys, prototype, number };
    return number;
  }
}
