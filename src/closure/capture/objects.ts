import { types } from 'node:util';
import { CompactArray, CompactObject } from '../graph/data-nodes.ts';
import type { MapNode, Node, SetNode } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import { captureBuffer, captureView } from './binary.ts';
import { captureMade } from './constructed.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { classNameOf, nodesClass, refusalOf } from './hidden-state.ts';
import { captureNamespace } from './module-namespaces.ts';
import { findDeep } from './natives.ts';
import { captureKept, refusalByHeap } from './package-instances.ts';
import { capturePrivates, classOf, mayHavePrivates } from './private-fields.ts';
import { captureData, fillShell } from './properties.ts';
import { readReduced } from './reduced.ts';
import { hiddenState, refusalByKind, standardStream } from './refusals.ts';

/** Captures one kind of object. Returns undefined if the object is of another kind. */
type Reader = (builder: GraphBuilder, value: object, path: Path) => Node | undefined;

const readers: readonly Reader[] = [captureArray, captureCollection, captureView, captureBuffer, captureMade, capturePrototype];

/** Captures an object that isn't a function, by value. */
export function captureObject(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  // Check for proxies first: reading anything from one would run its handler.
  const usual = types.isProxy(value) ? undefined : builder.sources.intrinsics.find(Reflect.getPrototypeOf(value));
  if (usual === 'Object.prototype') {
    return capturePrototype(builder, value, path) ?? captureByProperties(builder, value, path);
  }
  if (usual === 'Array.prototype' && Array.isArray(value)) return captureArray(builder, value, path);
  if (types.isModuleNamespaceObject(value)) return captureNamespace(builder, value, path);
  const refused = refusalByKind(value);
  if (refused !== undefined) return builder.refuse(path, refused);
  const prototype = Reflect.getPrototypeOf(value);
  const nodes = prototype !== null && nodesClass(builder, prototype) !== undefined ? findDeep(builder, value, path) : undefined;
  if (nodes !== undefined) return nodes;
  const reduced = readReduced(builder, value, path);
  if (reduced !== undefined) return reduced.node;
  const inHeap = refusalByHeap(builder, value);
  if (inHeap !== undefined) return builder.refuse(path, inHeap);
  const node = readByKind(builder, value, path) ?? readInstance(builder, value, path);
  if (node === undefined || node.kind === 'member') return node;
  captureKept(builder, value, node);
  if (!mayHavePrivates(builder.sources, value)) return node;
  builder.afterwards(() => {
    const lost = capturePrivates(builder, node, value);
    if (lost.length === 0) return;
    const names = lost.length > 5 ? [...lost.slice(0, 5), '…'] : lost;
    const { what } = hiddenState(`an instance of ${classNameOf(value)} with private state (${names.join(', ')})`);
    builder.refuse(path, { what, fix: 'say how it travels with `registerReducer`, or create it in `setup`' });
  });
  return node;
}

function readByKind(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  for (const read of readers) {
    const node = read(builder, value, path);
    if (node !== undefined) return node;
  }
  return undefined;
}

/** Captures an object that consists only of its prototype and its properties. */
function readInstance(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  const stream = standardStream(value);
  if (stream !== undefined) return builder.register(value, builder.intrinsic(stream, path));
  const hidden = refusalOf(builder, value);
  if (hidden !== undefined) return builder.refuse(path, hidden);
  const node = captureByProperties(builder, value, path);
  // Capture the class right away, so that its separately captured methods are recognized as members.
  const prototype = Reflect.getPrototypeOf(value);
  if (prototype !== null && classOf(prototype) !== undefined) builder.value(prototype, { parent: path, label: 'prototype' });
  return node;
}

function captureByProperties(builder: GraphBuilder, value: object, path: Path): Node {
  const viewed = builder.viewed.get(value);
  if (viewed === undefined && !types.isArgumentsObject(value)) {
    const object = builder.register(value, new CompactObject(path));
    builder.data.push(object);
    captureData(builder, object, value);
    return object;
  }
  const node = builder.register(value, viewed ?? argumentsNode(builder, path));
  builder.later(() => {
    // Some members may have been captured earlier, in another order.
    node.properties.length = 0;
    fillShell(builder, node, value, { usualPrototype: 'Object.prototype' });
  });
  return node;
}

const argumentsNode = (builder: GraphBuilder, path: Path): Node => ({
  ...builder.shell(path),
  kind: 'made',
  maker: '(function () { return arguments; })',
  values: [],
});

function captureArray(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  if (!Array.isArray(value)) return undefined;
  const node = builder.register(value, new CompactArray(path, value.length));
  builder.data.push(node);
  captureData(builder, node, value);
  return node;
}

function captureCollection(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  if (types.isMap(value)) {
    const node: MapNode = builder.register(value, { ...builder.shell(path), kind: 'map', isWeak: false, entries: [] });
    builder.later(() => {
      Map.prototype.forEach.call(value, (each, key) => {
        const label = typeof key === 'object' ? 'Map key' : `Map entry ${String(key)}`;
        node.entries.push([builder.value(key, { parent: path, label: 'Map key' }), builder.value(each, { parent: path, label })]);
      });
      fillShell(builder, node, value, { usualPrototype: 'Map.prototype' });
    });
    return node;
  }
  if (!types.isSet(value)) return undefined;
  const node: SetNode = builder.register(value, { ...builder.shell(path), kind: 'set', isWeak: false, entries: [] });
  builder.later(() => {
    Set.prototype.forEach.call(value, (each) => node.entries.push(builder.value(each, { parent: path, label: 'Set entry' })));
    fillShell(builder, node, value, { usualPrototype: 'Set.prototype' });
  });
  return node;
}

/** Captures the `prototype` object of a class or constructor function as a member of that function. */
function capturePrototype(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  const owner: unknown = Reflect.getOwnPropertyDescriptor(value, 'constructor')?.value;
  if (typeof owner !== 'function' || Reflect.getOwnPropertyDescriptor(owner, 'prototype')?.value !== value) return undefined;
  const ownerNode = builder.value(owner, { parent: path, label: `class ${classNameOf(value)}` });
  return (
    builder.known(value) ??
    builder.register(value, { ...builder.shell(path), kind: 'member', owner: ownerNode, key: 'prototype', role: 'value' })
  );
}
