import { types } from 'node:util';
import type { MapNode, SetNode, Value } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import type { GraphBuilder } from './graph-builder.ts';

/** Matches the code that compilers emit for private class members, which they store in weak collections. */
const lowered = /__(private(Get|Set|Add|Method|In)|classPrivateField(Get|Set|In)|accessor)\b|\b_\w+\.(get|has)\(this\)/;

/** Whether a weak collection is held by a package's code or by compiled private members, and not by the user. */
export const keepsWeakly = (value: unknown, { text, isPackage }: { text: string; isPackage: boolean }): value is object =>
  (types.isWeakMap(value) || types.isWeakSet(value)) && (isPackage || lowered.test(text));

/** Captures a weak collection with the entries whose keys also travel. The replica could never reach the others. */
export function captureWeak(builder: GraphBuilder, value: object, path: Path): Value {
  const known = builder.known(value);
  if (known !== undefined) return known;
  const isMap = types.isWeakMap(value);
  const node: MapNode | SetNode = isMap
    ? { ...builder.shell(path), kind: 'map', isWeak: true, entries: [] }
    : { ...builder.shell(path), kind: 'set', isWeak: true, entries: [] };
  builder.register(value, node);
  const add = (values: readonly Value[]): void => {
    if (node.kind === 'set') node.entries.push(values[0]);
    else node.entries.push([values[0], values[1]]);
  };
  captureWeakEntries(builder, { entries: builder.sources.inspector.weakEntries(value), isMap }, { path, add });
  return node;
}

interface WeakEntries {
  readonly entries: readonly { readonly key: object; readonly value: unknown }[];
  readonly isMap: boolean;
}

/** Adds the entries of a weak collection whose keys travel. Repeats as more keys become known. */
export function captureWeakEntries(
  builder: GraphBuilder,
  { entries, isMap }: WeakEntries,
  { path, add }: { readonly path: Path; add(values: readonly Value[]): void },
): void {
  const rest = new Set(entries);
  const take = (): void => {
    const found = [...rest].filter(({ key }) => builder.known(key) !== undefined);
    for (const entry of found) {
      rest.delete(entry);
      const key = builder.value(entry.key, path);
      add(isMap ? [key, builder.value(entry.value, { parent: path, label: 'WeakMap entry' })] : [key]);
    }
    if (found.length > 0) builder.afterwards(take);
  };
  builder.afterwards(take);
}
