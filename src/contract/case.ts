type Snake<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${Snake<Rest>}`
  : Name;
type Camel<Name extends string> = Name extends `${infer First}_${infer Rest}` ? `${First}${Capitalize<Camel<Rest>>}` : Name;

/** A record with the names of its fields in snake_case, and so the records inside it. */
export type SnakeKeys<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [Name in keyof T as Name extends string ? Snake<Name> : Name]: SnakeKeys<T[Name]> }
    : T;
/** The same in camelCase. */
export type CamelKeys<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [Name in keyof T as Name extends string ? Camel<Name> : Name]: CamelKeys<T[Name]> }
    : T;

/** Renames the fields of a record for Clipper's REST. Arrays stay as they are. */
export const snakeKeys = <T extends object>(record: T): SnakeKeys<T> => renamed(record, snakeCase) as SnakeKeys<T>;

export const snakeCase = <Name extends string>(name: Name): Snake<Name> =>
  name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) as Snake<Name>;

/** Renames the fields of a record from Clipper's REST. Arrays stay as they are. */
export const camelKeys = <T extends object>(record: T): CamelKeys<T> =>
  renamed(record, (name) => name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())) as CamelKeys<T>;

function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [rename(name), renamed(each, rename)]));
}
