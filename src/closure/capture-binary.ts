import { types } from 'node:util';
import { fillPrototype, fillShell } from './capture-properties.ts';
import type { BufferNode, Node, Path } from './graph.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { refusalByKind } from './refusals.ts';

/** Captures an ArrayBuffer that the user's code holds itself: all of it. */
export function captureBuffer(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  if (!types.isArrayBuffer(value)) return undefined;
  const node = bufferNode(builder, value as ArrayBuffer, path);
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
  const type = Buffer.isBuffer(value) ? 'Buffer' : (Reflect.get(value, Symbol.toStringTag) as string);
  const buffer = bufferNode(builder, value.buffer as ArrayBuffer, path);
  buffer.references++;
  if (isPooled(value)) {
    buffer.start = Math.min(buffer.start, value.byteOffset);
    buffer.end = Math.max(buffer.end, value.byteOffset + value.byteLength);
  } else {
    buffer.start = 0;
    buffer.end = value.buffer.byteLength;
  }
  const length = value instanceof DataView || type === 'DataView' ? value.byteLength : (value as Uint8Array).length;
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
  const range = { start: buffer.byteLength, end: 0 };
  const node = builder.register(buffer, { ...builder.shell(path), kind: 'buffer' as const, buffer, ...range });
  builder.buffers.push(node);
  return node;
}

/** Small Buffers are slices of a pool that unrelated ones share; only the slices travel. */
const isPooled = (view: ArrayBufferView): boolean =>
  Buffer.isBuffer(view) && view.buffer.byteLength === Buffer.poolSize && view.byteLength <= Buffer.poolSize >>> 1;
