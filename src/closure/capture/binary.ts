import { types } from 'node:util';
import type { BufferNode, Node, ViewNode } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { fillProperties, fillPrototype, fillShell, integrityOf } from './properties.ts';
import { hiddenState, refusalByKind } from './refusals.ts';

/** Captures an ArrayBuffer that the user's code holds directly, with all of its contents. */
export function captureBuffer(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  if (!types.isArrayBuffer(value)) return undefined;
  const node = bufferNode(builder, value as ArrayBuffer, path);
  if (node === undefined) return undefined;
  node.ranges = undefined;
  builder.later(() => fillShell(builder, node, value, { usualPrototype: 'ArrayBuffer.prototype' }));
  return node;
}

/** Captures a typed array, DataView or Buffer over its ArrayBuffer, so that views that share memory still share it. */
export function captureView(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  if (!ArrayBuffer.isView(value)) return undefined;
  const memory = read<ArrayBufferLike>(value, 'buffer');
  const refused = refusalByKind(memory);
  if (refused !== undefined) return builder.refuse(path, refused);
  const buffer = bufferNode(builder, memory as ArrayBuffer, path);
  if (buffer === undefined) return undefined;
  const type = Buffer.isBuffer(value) ? 'Buffer' : typeName(value);
  const [byteOffset, byteLength] = [read<number>(value, 'byteOffset'), read<number>(value, 'byteLength')];
  buffer.references++;
  if (isPooled(memory)) buffer.ranges?.push({ start: byteOffset, end: byteOffset + byteLength });
  else buffer.ranges = undefined;
  const count = type === 'DataView' ? byteLength : read<number>(value, 'length');
  const length = followsLength(value, { memory, type, end: byteOffset + byteLength }) ? undefined : count;
  const node: ViewNode = builder.register(value, { ...builder.shell(path), kind: 'view', type, buffer, byteOffset, length });
  builder.later(() => {
    fillPrototype(builder, node, { object: value, usual: `${type}.prototype` });
    fillProperties(builder, node, { object: value, keys: addedKeys(builder, value, count) });
    if (integrityOf(value) !== 'extensible') node.integrity = 'fixed';
  });
  return node;
}

/** Below this many elements, listing every key is faster than asking the inspector for the named ones. */
const fewElements = 1_000;

/** Returns the keys of properties that were added to a view. */
function addedKeys({ sources }: GraphBuilder, view: object, length: number): readonly (string | symbol)[] {
  if (length < fewElements) {
    return Reflect.ownKeys(view).filter((key) => typeof key === 'symbol' || !/^(0|[1-9]\d*)$/.test(key));
  }
  return [...sources.inspector.namedKeys(view), ...Object.getOwnPropertySymbols(view)];
}

function bufferNode(builder: GraphBuilder, buffer: ArrayBuffer, path: Path): BufferNode | undefined {
  const known = builder.known(buffer);
  if (known?.kind === 'buffer') return known;
  if (isDetached(buffer)) return builder.refuse(path, hiddenState('an ArrayBuffer whose memory was given to another thread'));
  const { resizable = false, maxByteLength } = buffer as { resizable?: boolean; maxByteLength?: number };
  const maximum = resizable ? maxByteLength : undefined;
  return builder.register(buffer, { ...builder.shell(path), kind: 'buffer', buffer, maximum, ranges: [] });
}

function isDetached(buffer: ArrayBuffer): boolean {
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/** Whether a view was created without a length over resizable memory, so that its length follows the buffer's. */
function followsLength(
  view: ArrayBufferView,
  { memory, type, end }: { memory: ArrayBufferLike; type: string; end: number },
): boolean {
  const buffer = memory as ArrayBufferLike & { resizable?: boolean; maxByteLength?: number; resize?(length: number): void };
  if (buffer.resizable !== true || end !== buffer.byteLength || type === 'Buffer') return false;
  // A length-tracking view and a fixed one can end at the same byte, and no property tells them apart. Resize the buffer and
  // see whether the view follows.
  const before = buffer.byteLength;
  if (before + 8 > (buffer.maxByteLength ?? 0)) return false;
  buffer.resize?.(before + 8);
  const follows = read<number>(view, 'byteOffset') + read<number>(view, 'byteLength') > end;
  buffer.resize?.(before);
  return follows;
}

/** Small Buffers are slices of a shared pool. The rest of the pool is unrelated data that must not travel. */
const isPooled = (buffer: ArrayBufferLike): boolean => buffer.byteLength === Buffer.poolSize;

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;

/** Reads a member through the built-in prototype, since a subclass may override it. */
function read<T>(view: ArrayBufferView, key: string | symbol): T {
  const prototype = types.isDataView(view) ? DataView.prototype : typedArray;
  return Object.getOwnPropertyDescriptor(prototype, key)?.get?.call(view) as T;
}

const typeName = (view: ArrayBufferView): string => read<string | undefined>(view, Symbol.toStringTag) ?? 'DataView';
