import { types } from 'node:util';
import type { Primitive } from '../graph.ts';
import type { Reference, Snapshot, SnapshotScope } from './snapshot.ts';

/** How a value is reached from one that was reached before. */
export type Step =
  | { readonly type: 'module'; readonly file: string; readonly isModule: boolean }
  | { readonly type: 'intrinsic'; readonly expression: string }
  | { readonly type: 'property'; readonly from: number; readonly key: string | symbol; readonly role: 'value' | 'get' | 'set' }
  | { readonly type: 'prototype'; readonly from: number }
  /** Behind a bound function, where no code gets at it. */
  | { readonly type: 'bound'; readonly from: number }
  | { readonly type: 'private'; readonly from: number; readonly name: string }
  /** A value of a Map, a key of one or of a Set, by its place in there. */
  | { readonly type: 'entry'; readonly from: number; readonly index: number; readonly role: 'key' | 'value' }
  | { readonly type: 'variable'; readonly scope: SnapshotScope; readonly name: string };

/** Something that a package keeps, and that this process changed since the package was loaded. */
export type Difference =
  | {
      readonly type: 'property';
      readonly holder: number;
      readonly key: string | symbol;
      /** Undefined: it was deleted. */
      readonly now: PropertyDescriptor | undefined;
      readonly before: Reference | undefined;
    }
  | {
      readonly type: 'private';
      readonly holder: number;
      readonly name: string;
      readonly now: unknown;
      readonly before: Reference;
    }
  | { readonly type: 'prototype'; readonly holder: number; readonly now: object | null; readonly before: Reference }
  | {
      readonly type: 'entries';
      readonly holder: number;
      readonly isMap: boolean;
      readonly now: readonly (readonly [key: unknown, value?: unknown])[];
      /** How many entries of the fresh collection stay at its beginning; the others are taken out. */
      readonly kept: number;
    }
  | { readonly type: 'elements'; readonly holder: number; readonly now: readonly unknown[] }
  | {
      readonly type: 'weak';
      readonly holder: number;
      readonly isMap: boolean;
      readonly entries: readonly { readonly key: object; readonly value: unknown }[];
    }
  | {
      readonly type: 'variable';
      readonly scope: SnapshotScope;
      readonly name: string;
      readonly now: unknown;
      readonly before: Reference;
    };

/** Whether a number is the process's own id, or the time at which it loaded something. */
export function isOfProcess(value: Primitive, reference: Reference, { pid, began, ended }: Snapshot): boolean {
  if (typeof value !== 'number' || typeof reference !== 'string') return false;
  const before = Number(reference.slice(1));
  const isTime = before >= began && before <= ended && value >= Math.floor(performance.timeOrigin) && value <= Date.now();
  return isTime || (value === process.pid && before === pid);
}

/**
 * The differences without those that are each process's own: random bytes that were drawn in advance, and in weak
 * collections what a package knows of its own objects.
 */
export function withoutOwn(
  differences: readonly Difference[],
  snapshot: Snapshot,
  isPaired: (value: unknown) => boolean,
): readonly Difference[] {
  const pools = new Set(differences.filter((each) => isPool(each, snapshot)).map(whereOf));
  return differences.flatMap((difference): readonly Difference[] => {
    if (isOfPool(difference, snapshot) && pools.has(whereOf(difference))) return [];
    if (difference.type !== 'weak') return [difference];
    const entries = difference.entries.filter(({ key }) => !isPaired(key));
    return entries.length === 0 ? [] : [{ ...difference, entries }];
  });
}

/** Where something differs: variables of one scope, or members of one object. */
const whereOf = (difference: Difference): unknown => (difference.type === 'variable' ? difference.scope : difference.holder);

const largestPool = 65_536;

/** Whether bytes differ that a package may have drawn at random, in advance. */
function isPool(difference: Difference, { nodes }: Snapshot): boolean {
  if (difference.type !== 'variable' && difference.type !== 'property' && difference.type !== 'private') return false;
  const now: unknown = difference.type === 'property' ? difference.now?.value : difference.now;
  if (ArrayBuffer.isView(now)) return types.isUint8Array(now) && now.byteLength <= largestPool;
  const before = typeof difference.before === 'number' ? nodes[difference.before] : undefined;
  return before?.kind === 'binary' && before.tag.startsWith('Uint8Array');
}

/** Random bytes, or how many of them are left. */
function isOfPool(difference: Difference, snapshot: Snapshot): boolean {
  if (isPool(difference, snapshot)) return true;
  const now: unknown = difference.type === 'property' ? difference.now?.value : 'now' in difference ? difference.now : undefined;
  return typeof now === 'number';
}
