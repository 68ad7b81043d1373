// Code of the bundle's own: emit-helpers.ts writes the text of these functions into it. They use nothing from outside
// themselves, and name no functions within, so that no compiler makes them need a helper in turn.

/** Makes what restores the private state of instances. `note` is told while constructors must do nothing but that. */
export function makeRestorer(note: (isRestoring: boolean) => void) {
  // A value that any pattern of parameters can be given, so that no default of the user's is run.
  const any: object = new Proxy(() => {}, {
    get: (_target, key) => (key === Symbol.iterator ? () => Array(64).fill(any).values() : any),
    has: () => true,
  });
  return {
    /** An instance of a base class, with the class's private members and nothing else. */
    create(Class: Function, prototype: object | null): object {
      const Target = new Function() as Function & { prototype: unknown };
      Target.prototype = prototype;
      note(true);
      try {
        const created = Reflect.construct(Class, Array(32).fill(any), Target) as object;
        for (const key of Reflect.ownKeys(created)) Reflect.deleteProperty(created, key);
        if (Reflect.getPrototypeOf(created) !== prototype) Reflect.setPrototypeOf(created, prototype);
        return created;
      } finally {
        note(false);
      }
    },
    /** Gives an object the private members of a subclass, which puts them on whatever its superclass returns. */
    install(Class: Function, target: object): void {
      const parent = Reflect.getPrototypeOf(Class);
      const before = new Set(Reflect.ownKeys(target));
      // biome-ignore lint/complexity/useArrowFunction: it is called as a constructor
      const Returns: object = function () {
        return target;
      };
      Reflect.setPrototypeOf(Class, Returns);
      note(true);
      try {
        Reflect.construct(Class, Array(32).fill(any));
      } finally {
        note(false);
        Reflect.setPrototypeOf(Class, parent);
      }
      for (const key of Reflect.ownKeys(target)) if (!before.has(key)) Reflect.deleteProperty(target, key);
    },
  };
}

type Row = Record<string | number, unknown>;
type Line = readonly [group: number, count: number, columns: unknown[][], rest: unknown[]];
type Form = readonly [
  keys: readonly string[] | null,
  rowKeys: readonly boolean[],
  make: (columns: unknown[][], i: number) => Row,
];

/** Reads the rows of a data table; see emit-table.ts for its form. `others` are what is to be put in from outside. */
export function readTable(bytes: Buffer, forms: readonly Form[]) {
  const rows: Row[] = [];
  const others: [row: Row, key: string | number, other: number][] = [];
  const references: [first: number, key: string | number, numbers: number[]][] = [];
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    end = bytes.indexOf(10, start);
    const [group, count, columns, rest] = JSON.parse(bytes.toString('utf8', start, end)) as Line;
    const [keys, rowKeys, make] = forms[group] as Form;
    const first = rows.length;
    if (keys === null) for (const each of columns) rows.push(each as never);
    else for (let index = 0; index < count; index++) rows.push(make(columns, index));
    for (const [at, holdsRows] of rowKeys.entries()) {
      if (holdsRows) references.push([first, keys?.[at] ?? '', columns[at] as number[]]);
    }
    for (let at = 0; at < rest.length; at += 4) {
      const [column, index, kind, content] = rest.slice(at, at + 4) as [number, number, string, string];
      const number = first + (keys === null ? column : index);
      const key = keys === null ? index : (keys[column] ?? '');
      if (kind === 'row') references.push([number, key, [Number(content)]]);
      else if (kind === 'other') others.push([rows[number] as Row, key, Number(content)]);
      else {
        const value = kind === 'bigint' ? BigInt(content) : kind === 'number' ? Number(content) : undefined;
        Object.defineProperty(rows[number], key, { value });
      }
    }
  }
  for (const [first, key, numbers] of references) {
    // An assignment to this key would set the prototype.
    if (key === '__proto__')
      for (const [at, each] of numbers.entries()) Object.defineProperty(rows[first + at], key, { value: rows[each] });
    else for (let at = 0; at < numbers.length; at++) (rows[first + at] as Row)[key] = rows[numbers[at] as number];
  }
  return { rows, others };
}

/** Puts into rows what was made outside of the table, and sets prototypes. */
export function completeTable(
  { rows, others }: ReturnType<typeof readTable>,
  values: readonly unknown[],
  prototypes: readonly (readonly [start: number, end: number, prototype: object | null])[],
): void {
  for (const [row, key, other] of others) Object.defineProperty(row, key, { value: values[other] });
  for (const [start, end, prototype] of prototypes) {
    for (let row = start; row < end; row++) Object.setPrototypeOf(rows[row], prototype);
  }
}
