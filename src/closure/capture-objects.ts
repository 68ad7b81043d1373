import { types } from 'node:util';
import { messageOf } from '../errors.ts';
import type { BuiltinMember } from './builtins.ts';
import { captureBuffer, captureView } from './capture-binary.ts';
import { captureMade } from './capture-made.ts';
import { findDeep } from './capture-nodes.ts';
import { capturePrivates, classOf, mayHavePrivates } from './capture-privates.ts';
import { captureData, fillShell, ownName, readProperty } from './capture-properties.ts';
import { ArrayNode, ObjectNode } from './data-nodes.ts';
import { moduleVariable } from './environments.ts';
import type { Capture, MapNode, Node, Path, Property, SetNode, Value } from './graph.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { reduce } from './reducers.ts';
import type { Reduced } from './reducers-known.ts';
import { hiddenState, refusalByClass, refusalByKind, standardStream } from './refusals.ts';

/** A reader of one kind of object: undefined where the object is of another. */
type Reader = (builder: GraphBuilder, value: object, path: Path) => Node | undefined;

const readers: readonly Reader[] = [captureArray, captureCollection, captureView, captureBuffer, captureMade, capturePrototype];

/** Captures an object that is no function, by value. */
export function captureObject(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  // Proxies first: to look at one would run its handler.
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
  if (reduced !== undefined) return reduced;
  const node = readByKind(builder, value, path) ?? readInstance(builder, value, path);
  if (node === undefined || node.kind === 'member' || !mayHavePrivates(builder, value)) return node;
  builder.afterwards(() => {
    const lost = capturePrivates(builder, node, value);
    if (lost.length === 0) return;
    const names = lost.length > 5 ? [...lost.slice(0, 5), '…'] : lost;
    const { what } = hiddenState(`an instance of ${classNameOf(value)} with private state (${names.join(', ')})`);
    builder.refuse(path, { what, fix: 'say how it travels with `registerReducer`, or create it in `setup`' });
  });
  return node;
}

/** What a class's reducer gives travels in place of its instance. */
function readReduced(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  let reduced: Reduced | undefined;
  try {
    reduced = reduce(builder.sources, value);
  } catch (error) {
    return builder.refuse(path, {
      what: `an instance of ${classNameOf(value)}, whose reducer failed: ${messageOf(error)}`,
      fix: 'mend it',
    });
  }
  if (reduced === undefined) return undefined;
  if (!Array.isArray(reduced) || typeof reduced[0] !== 'function') {
    const what = `an instance of ${classNameOf(value)}, whose reducer gave no array of a function and its arguments`;
    return builder.refuse(path, { what, fix: 'mend it' });
  }
  const [rebuild, ...args] = reduced;
  const values: Value[] = [];
  const target = builder.value(rebuild, { parent: path, label: 'rebuilt by' });
  const node = builder.register(value, { ...builder.shell(path), kind: 'call', target, values });
  for (const [index, each] of args.entries()) {
    values.push(builder.value(each, { parent: path, label: `reduced to argument ${index}` }));
    builder.evaluated.push(values.at(-1));
  }
  return node;
}

function readByKind(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  for (const read of readers) {
    const node = read(builder, value, path);
    if (node !== undefined) return node;
  }
  return undefined;
}

/** An object that is nothing but its prototype and properties. */
function readInstance(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  const stream = standardStream(value);
  if (stream !== undefined) return builder.register(value, builder.intrinsic(stream, path));
  const hidden = refusalOf(builder, value);
  if (hidden !== undefined) return builder.refuse(path, hidden);
  const node = captureByProperties(builder, value, path);
  // A class at once, so that methods which are captured by themselves are known as the class's.
  const prototype = Reflect.getPrototypeOf(value);
  if (prototype !== null && classOf(prototype) !== undefined) builder.value(prototype, { parent: path, label: 'prototype' });
  return node;
}

function captureByProperties(builder: GraphBuilder, value: object, path: Path): Node {
  // Some members of a module may have been asked for before the whole.
  const viewed = builder.viewed.get(value);
  const have = new Set(viewed?.properties.map(({ key }) => key));
  const skip = (key: string | symbol): boolean => typeof key === 'string' && have.has(key);
  if (viewed === undefined && !types.isArgumentsObject(value)) {
    const object = builder.register(value, new ObjectNode(path));
    builder.data.push(object);
    captureData(builder, object, value);
    return object;
  }
  const node = builder.register(value, viewed ?? argumentsNode(builder, path));
  builder.later(() => fillShell(builder, node, value, { usualPrototype: 'Object.prototype', skip }));
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
  const node = builder.register(value, new ArrayNode(path, value.length));
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

/** The prototype of a class or constructor function is a part of that. */
function capturePrototype(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  const owner: unknown = Reflect.getOwnPropertyDescriptor(value, 'constructor')?.value;
  if (typeof owner !== 'function' || Reflect.getOwnPropertyDescriptor(owner, 'prototype')?.value !== value) return undefined;
  const ownerNode = builder.value(owner, { parent: path, label: `class ${classNameOf(value)}` });
  return (
    builder.known(value) ??
    builder.register(value, { ...builder.shell(path), kind: 'member', owner: ownerNode, key: 'prototype', role: 'value' })
  );
}

/** The namespace of one of the user's own modules; those of packages are found by the import's name. */
function captureNamespace(builder: GraphBuilder, value: object, path: Path): Node {
  const builtin = builder.sources.builtins.find(Reflect.get(value, 'default'));
  if (builtin !== undefined) return builder.register(value, builder.module({ type: 'builtin', name: builtin.name }, [], path));
  const node = builder.register(value, new ObjectNode(path));
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

/** An export as the variable that it is, where that is known. */
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

/** One export of a namespace; undefined while its module is still to initialise it. */
function readExport(namespace: object, key: string): PropertyDescriptor | undefined {
  try {
    return { value: Reflect.get(namespace, key) as unknown, writable: true, enumerable: true, configurable: true };
  } catch {
    return undefined;
  }
}

/** What is left of an instance of these where it is none of the kinds that are read as such: its properties. */
const plain = new Set([
  ...['Object', 'Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError', 'AggregateError'],
  ...['Function', 'Array', 'Map', 'Set', 'Date', 'RegExp', 'Boolean', 'Number', 'String', 'Symbol', 'BigInt', 'Promise'],
  ...['ArrayBuffer', 'DataView', 'EventEmitter of node:events'],
  '(Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())))',
  '(Object.getPrototypeOf(Object.getPrototypeOf((async function* () {}).prototype)))',
]);

/** Why the own properties of an instance are not all there is to it. */
function refusalOf(builder: GraphBuilder, value: object): ReturnType<typeof hiddenState> | undefined {
  const { intrinsics, builtins } = builder.sources;
  for (let each = Reflect.getPrototypeOf(value); each !== null; each = Reflect.getPrototypeOf(each)) {
    const live = refusalByClass(each);
    if (live !== undefined) return live;
    const builtin = builtins.find(each);
    const intrinsic = intrinsics.find(each)?.replace(/\.prototype$/, '');
    const name = intrinsic ?? (builtin === undefined ? nodesClass(builder, each) : builtinName(builtin));
    if (name !== undefined && !plain.has(name)) return hiddenState(`an instance of ${name}`);
    if (name !== undefined) break;
  }
  return undefined;
}

/** `["EventEmitter", "prototype"]` of `node:events`; the module itself is the class of emitters. */
function builtinName({ name, member }: BuiltinMember): string {
  const [first] = member;
  if (name === 'node:events' && (first === 'prototype' || first === 'EventEmitter')) return 'EventEmitter of node:events';
  return `${first} of ${name}`;
}

const nodesClasses = new WeakMap<object, { readonly name: string | undefined }>();

/** The name of a class of Node's that no module exports, such as that of timers, by its prototype. */
function nodesClass({ sources: { inspector, origins } }: GraphBuilder, prototype: object): string | undefined {
  const known = nodesClasses.get(prototype);
  if (known !== undefined) return known.name;
  const owner = classOf(prototype);
  const { scriptId } = owner === undefined || types.isProxy(owner) ? {} : inspector.facts(owner);
  const isNodes = owner !== undefined && (scriptId === undefined || origins.owner(scriptId) === 'node');
  // A bound function or one of another realm is native as well.
  const name = isNodes && scriptId !== undefined ? ownName(owner) || 'a class of Node' : undefined;
  nodesClasses.set(prototype, { name });
  return name;
}

/** The name of the class of an object or prototype, read without running anything of its. */
function classNameOf(value: object): string {
  const prototype = Object.hasOwn(value, 'constructor') ? value : Reflect.getPrototypeOf(value);
  const owner: unknown = prototype === null ? undefined : Reflect.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  return (typeof owner === 'function' && ownName(owner)) || 'a class';
}
