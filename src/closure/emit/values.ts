import type { ArrayNode, Node, Primitive, Property, Value } from '../graph/nodes.ts';
import { isNode } from '../graph/nodes.ts';

export const printPrimitive = (value: Primitive): string => {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (value === undefined) return 'void 0';
  return Object.is(value, -0) ? '-0' : String(value);
};

/** Prints a value where it is used. */
export type Print = (value: Value) => string;

const identifier = /^[A-Za-z_$][\w$]*$/;

/** `name`, `"not a name"` or `[symbol]`, as a key in an object literal. */
export function printKey(key: string | Node, print: Print): string {
  if (isNode(key)) return `[${print(key)}]`;
  if (key === '__proto__') return '["__proto__"]';
  return identifier.test(key) ? key : JSON.stringify(key);
}

/** `.name`, `["not a name"]` or `[symbol]`. */
export function printMember(key: string | Node, print: Print): string {
  if (isNode(key)) return `[${print(key)}]`;
  return identifier.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** Prints a property descriptor for `Object.defineProperty`. Omitted flags mean false, unless the property already exists. */
export function printDescriptor(property: Property, isThere: boolean, print: Print): string {
  const { accessor, writable, enumerable, configurable, get, set, value } = property;
  const flags = Object.entries({ writable: !accessor && writable, enumerable, configurable })
    .filter(([, on]) => on || isThere)
    .filter(([flag]) => flag !== 'writable' || !accessor)
    .map(([flag, on]) => `, ${flag}: ${on}`);
  return accessor ? `{ get: ${print(get)}, set: ${print(set)}${flags.join('')} }` : `{ value: ${print(value)}${flags.join('')} }`;
}

/** Whether a property looks as if it had been assigned. */
export const isPlain = ({ accessor, writable, enumerable, configurable }: Property): boolean =>
  !accessor && writable && enumerable && configurable;

const index = /^(0|[1-9]\d{0,9})$/;

const isElement = ({ key }: Property): boolean => typeof key === 'string' && index.test(key) && Number(key) < 2 ** 32 - 1;

/**
 * Returns the properties that a node's literal can include. For an object, these are the ones before the first that must be
 * defined later, to keep their order. For an array, these are its elements. Statements define the rest.
 */
export function literalProperties(node: Node, isWritten: (value: Value) => boolean): readonly Property[] {
  const fits = (property: Property): boolean =>
    isPlain(property) && isWritten(property.value) && (!isNode(property.key) || isWritten(property.key));
  if (node.kind === 'object') {
    const end = node.properties.findIndex((property) => !fits(property));
    return end === -1 ? node.properties : node.properties.slice(0, end);
  }
  if (node.kind !== 'array') return [];
  const elements = node.properties.filter((property) => isElement(property) && fits(property));
  return node.length > 2 * elements.length + 16 ? [] : elements;
}

/** `[1, , 3]` */
export function printArray({ length }: ArrayNode, elements: readonly Property[], print: Print): string {
  if (elements.length === 0) return length === 0 ? '[]' : `new Array(${length})`;
  const texts = new Array<string>(length).fill('');
  for (const { key, value } of elements) texts[Number(key)] = print(value);
  return `[${texts.join(', ')}${texts.at(-1) === '' ? ',' : ''}]`;
}

/** Yields the values that a node holds, in the order in which they are written. */
export function* childrenOf(node: Node): Generator<Value, void> {
  yield node.prototype;
  if (node.kind === 'map') for (const entry of node.entries) yield* entry;
  else if (node.kind === 'set') yield* node.entries;
  else if (node.kind === 'made' || node.kind === 'change') yield* node.values;
  else if (node.kind === 'call') yield* [node.target, ...node.values];
  else if (node.kind === 'view') yield node.buffer;
  else if (node.kind === 'bound') yield* [node.target, node.boundThis, ...node.boundArguments];
  else if (node.kind === 'object' || node.kind === 'array') yield* node.values ?? [];
  else if (node.kind === 'member') yield* [node.owner, node.key];
  for (const { owner, fields } of node.privates ?? []) {
    if (owner !== node) yield owner;
    for (const [, value] of fields) yield value;
  }
  for (const { key, value, get, set } of node.properties) {
    if (isNode(key)) yield key;
    yield value;
    yield get;
    yield set;
  }
}
