import { CompactObject } from '../graph/data-nodes.ts';
import type { Capture, Node, Property } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import { moduleVariable } from './environments.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { readProperty } from './properties.ts';

/** Captures the namespace of one of the user's own modules. Package namespaces are found by the import's name. */
export function captureNamespace(builder: GraphBuilder, value: object, path: Path): Node {
  const builtin = builder.sources.builtins.find(Reflect.get(value, 'default'));
  if (builtin !== undefined) return builder.register(value, builder.module({ type: 'builtin', name: builtin.name }, [], path));
  const node = builder.register(value, new CompactObject(path));
  builder.namespaces.add(node);
  node.expand();
  node.prototype = null;
  builder.later(() => {
    for (const key of Reflect.ownKeys(value)) {
      const found = typeof key === 'string' ? readExport(value, key) : undefined;
      if (found === undefined || typeof key !== 'string') continue;
      const property = readProperty(builder, key, { descriptor: found, owner: path });
      node.properties.push(liveExport(builder, value, { property, raw: found.value, key }));
    }
  });
  return node;
}

/** Ties an export to the variable behind it, if that variable is known, so that the export stays live. */
function liveExport(
  builder: GraphBuilder,
  namespace: object,
  { property, raw, key }: { property: Property; raw: unknown; key: string },
): Property {
  const scriptId = builder.namespaceScripts.get(namespace);
  const variable = scriptId === undefined ? undefined : builder.sources.origins.exportedVariable(scriptId, key);
  if (variable === undefined) return property;
  const live: Capture = { value: property.value, binding: undefined };
  builder.live.push(live);
  builder.environments.add({ capture: live, name: variable.name, written: false, raw, place: moduleVariable(variable) });
  return { ...property, accessor: true, live };
}

/** Reads one export of a namespace. Returns undefined if its module hasn't initialized it yet. */
function readExport(namespace: object, key: string): PropertyDescriptor | undefined {
  try {
    return { value: Reflect.get(namespace, key) as unknown, writable: true, enumerable: true, configurable: true };
  } catch {
    return undefined;
  }
}
