import { types } from 'node:util';
import { fillPrototype, fillShell } from './capture-properties.ts';
import type { BufferNode, Node, Path } from './graph.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { refusalByKind } from './refusals.ts';

/** Captures an ArrayBuffer that the user's code holds itself: all of it. */
export function captureBuffer(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  if (!types.isArrayBuffer(value)) return undefined;
  const node = bufferNode(builder, value as ArrayBuffer, path);
  node.ranges = undefined;
  builder.later(() => fillShell(builder, node, value, { usualPrototype: 'ArrayBuffer.prototype' }));
  return node;
}

/**
 * Captures a typed array, DataView or Buffer over its ArrayBuffer, so that views which shared memory share it again.
 * Properties that were added to a view don't travel: to list them would list every element.
 */
export function captureView(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  if (!ArrayBuffer.isView(value)) return undefined;
  const refused = refusalByKind(value.buffer);
  if (refused !== undefined) return builder.refuse(path, refused);
  const type = Buffer.isBuffer(value) ? 'Buffer' : typeName(value);
  const buffer = bufferNode(builder, value.buffer as ArrayBuffer, path);
  buffer.references++;
  if (isPooled(value.buffer)) buffer.ranges?.push({ start: value.byteOffset, end: value.byteOffset + value.byteLength });
  else buffer.ranges = undefined;
  const length = type === 'DataView' ? value.byteLength : (value as Uint8Array).length;
  const node = builder.register(value, {
    ...builder.shell(path),
    kind: 'view',
    type,
    buffer,
    byteOffset: value.byteOffset,
    length,
  });
  builder.later(() => fillPrototype(builder, node, { object: value, usual: `${type}.prototype` }));
  return node;
}

function bufferNode(builder: GraphBuilder, buffer: ArrayBuffer, path: Path): BufferNode {
  const known = builder.known(buffer);
  if (known?.kind === 'buffer') return known;
  const node: BufferNode = builder.register(buffer, { ...builder.shell(path), kind: 'buffer', buffer, ranges: [] });
  return node;
}

/** Small Buffers are slices of a pool that they share with unrelated ones, whose contents must not travel. */
const isPooled = (buffer: ArrayBufferLike): boolean => buffer.byteLength === Buffer.poolSize;

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const typeGetter = Object.getOwnPropertyDescriptor(typedArray, Symbol.toStringTag)?.get;

/** The name of a view's type, from where a subclass can't have changed it. */
const typeName = (view: ArrayBufferView): string => (typeGetter?.call(view) as string | undefined) ?? 'DataView';
