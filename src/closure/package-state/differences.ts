import { types } from 'node:util';
import type { Primitive } from '../graph/nodes.ts';
import type { Reference, Snapshot, SnapshotScope } from './snapshot.ts';

/** A step from a paired value to the next. */
export type Step =
  | { readonly type: 'module'; readonly file: string; readonly isModule: boolean }
  | { readonly type: 'intrinsic'; readonly expression: string }
  | { readonly type: 'property'; readonly from: number; readonly key: string | symbol; readonly role: 'value' | 'get' | 'set' }
  | { readonly type: 'prototype'; readonly from: number }
  /** A part of a bound function. No code can reach it. */
  | { readonly type: 'bound'; readonly from: number }
  | { readonly type: 'private'; readonly from: number; readonly name: string; readonly nth: number }
  /** The value of a weak collection for a key. */
  | { readonly type: 'weak'; readonly from: number; readonly key: number }
  /** A key or value of a Map, or a value of a Set, by position. */
  | { readonly type: 'entry'; readonly from: number; readonly index: number; readonly role: 'key' | 'value' }
  | { readonly type: 'variable'; readonly scope: SnapshotScope; readonly name: string };

/** State of a package that this process changed after loading the package. */
export type Difference =
  | {
      readonly type: 'property';
      readonly holder: number;
      readonly key: string | symbol;
      /** Undefined if the property was deleted. */
      readonly now: PropertyDescriptor | undefined;
      readonly before: Reference | undefined;
    }
  | {
      readonly type: 'private';
      readonly holder: number;
      readonly name: string;
      /** How many base classes also have a private field of this name. */
      readonly nth: number;
      readonly now: unknown;
      readonly before: Reference;
    }
  | { readonly type: 'prototype'; readonly holder: number; readonly now: object | null; readonly before: Reference }
  | {
      readonly type: 'entries';
      readonly holder: number;
      readonly isMap: boolean;
      readonly now: readonly (readonly [key: unknown, value?: unknown])[];
      /** How many leading entries of the fresh collection stay. The others are removed. */
      readonly kept: number;
    }
  | { readonly type: 'content'; readonly holder: number; readonly now: object }
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

/** Whether a number is specific to a process: its ID, or the time at which it loaded something. */
export function isOfProcess(value: Primitive, reference: Reference, { pid, began, ended }: Snapshot): boolean {
  if (typeof value !== 'number' || typeof reference !== 'string') return false;
  const before = Number(reference.slice(1));
  const isTime = before >= began && before <= ended && value >= Math.floor(performance.timeOrigin) && value <= Date.now();
  return isTime || (value === process.pid && before === pid);
}

/**
 * Drops the differences that are specific to each process: random bytes drawn in advance, and how many of them are left.
 * `stepTo` returns how a value is reached; `drawsAt` whether the module at a difference asks for random bytes.
 */
export function withoutOwn(
  differences: readonly Difference[],
  { stepTo, drawsAt }: { stepTo(number: number): Step | undefined; drawsAt(difference: Difference): boolean },
): readonly Difference[] {
  const whereOf = (difference: Difference): unknown => {
    if (difference.type === 'variable') return difference.scope;
    const step = difference.type === 'content' ? stepTo(difference.holder) : undefined;
    if (step === undefined) return difference.holder;
    return step.type === 'variable' ? step.scope : 'from' in step ? step.from : difference.holder;
  };
  const pools = new Set(differences.filter((each) => isPool(each) && drawsAt(each)).map(whereOf));
  return differences.filter((each) => !pools.has(whereOf(each)) || !(isPool(each) || isCount(each)));
}

const largestPool = 65_536;

const valueNow = (difference: Difference): unknown =>
  difference.type === 'property' ? difference.now?.value : 'now' in difference ? difference.now : undefined;

function isPool(difference: Difference): boolean {
  const now = valueNow(difference);
  return types.isUint8Array(now) && now.byteLength <= largestPool;
}

const isCount = (difference: Difference): boolean => typeof valueNow(difference) === 'number';
