// These functions run in the bundle: helpers.ts writes their text into it. They use nothing from outside themselves, and
// contain no named functions, for which a compiler might insert a helper call.

/** Creates the object that restores private state. `note` tells constructors that they must do nothing else. */
export function makeRestorer(note: (isRestoring: boolean) => void) {
  // Fits any parameter pattern, so that no user code in a default value runs.
  const any: object = new Proxy(() => {}, {
    get: (_target, key) => (key === Symbol.iterator ? () => Array(64).fill(any).values() : any),
    has: () => true,
  });
  return {
    /**
     * Creates an instance of a base class with the class's private members and, of its public fields, only those in `keys`. It
     * is constructed as `new` would construct it, so that it shares a hidden class with other instances, which engines rely on.
     */
    create(Class: Function, prototype: object | null, keys: readonly (string | symbol)[]): object {
      const owner: unknown = prototype === null ? undefined : Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
      const Target = typeof owner === 'function' && owner.prototype === prototype ? owner : Class;
      note(true);
      try {
        const created = Reflect.construct(Class, Array(32).fill(any), Target) as object;
        const own = Reflect.ownKeys(created);
        if (own.some((key, index) => key !== keys[index])) for (const key of own) Reflect.deleteProperty(created, key);
        if (Reflect.getPrototypeOf(created) !== prototype) Reflect.setPrototypeOf(created, prototype);
        return created;
      } finally {
        note(false);
      }
    },
    /** Adds a subclass's private members to an object. A derived class adds them to whatever its superclass returns. */
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
type Line = readonly [form: number, count: number, columns: unknown[][], rest: unknown[]];
type Form = readonly [
  keys: readonly string[] | null,
  modes: readonly ('values' | 'rows' | 'later')[],
  make: (columns: unknown[][], index: number, rows: readonly Row[]) => Row,
];

/** Reads the rows of a data table (see table.ts). `others` lists the values to fill in from outside the table. */
export function readTable(bytes: Buffer, forms: readonly Form[]) {
  const rows: Row[] = [];
  const others: [row: Row, key: string | number, other: number][] = [];
  const later: [first: number, key: string | number, numbers: number[]][] = [];
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    end = bytes.indexOf(10, start);
    const [form, count, columns, rest] = JSON.parse(bytes.toString('utf8', start, end)) as Line;
    const [keys, modes, make] = forms[form] as Form;
    const first = rows.length;
    if (keys !== null) {
      for (let index = 0; index < count; index++) rows.push(make(columns, index, rows));
      for (const [at, key] of keys.entries()) if (modes[at] === 'later') later.push([first, key, columns[at] as number[]]);
    } else if (modes[0] === 'rows') {
      for (const numbers of columns) rows.push(numbers.map((number) => rows[number as number]) as never);
    } else for (const values of columns) rows.push(values as never);
    for (let at = 0; at < rest.length; at += 4) {
      const [column, index, kind, content] = rest.slice(at, at + 4) as [number, number, string, string];
      const number = first + (keys === null ? column : index);
      const key = keys === null ? index : (keys[column] ?? '');
      if (kind === 'row') later.push([number, key, [Number(content)]]);
      else if (kind === 'other') others.push([rows[number] as Row, key, Number(content)]);
      else {
        const value = kind === 'bigint' ? BigInt(content) : kind === 'number' ? Number(content) : undefined;
        Object.defineProperty(rows[number], key, { value });
      }
    }
  }
  for (const [first, key, numbers] of later) {
    for (let at = 0; at < numbers.length; at++) {
      const value = rows[numbers[at] as number];
      // Assigning to this key would set the prototype.
      if (key === '__proto__') Object.defineProperty(rows[first + at], key, { value });
      else (rows[first + at] as Row)[key] = value;
    }
  }
  return { rows, others };
}

/** Fills in the values from outside the table, and sets prototypes. */
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
