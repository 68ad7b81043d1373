import { isPrimitive } from '../graph/nodes.ts';
import { packageNameOf } from '../heap/package-members.ts';
import type { Comparison } from './compare.ts';
import type { Difference, Step } from './differences.ts';
import { primitiveReference, printReference } from './snapshot.ts';

const printKey = (key: string | symbol): string =>
  typeof key === 'symbol' || !/^[\w$]+$/.test(key) ? `[${String(key)}]` : `.${key}`;

/** `decimal.js .precision`, as a person would look for it. */
export function printStep(comparison: Comparison, step: Step): string {
  if (step.type === 'module') return packageNameOf(step.file);
  if (step.type === 'intrinsic') return step.expression;
  if (step.type === 'variable') return `${packageNameOf(step.scope.file)} ${step.name}`;
  const start = printHolder(comparison, step.from);
  if (step.type === 'weak') return `${start} entry`;
  if (step.type === 'prototype' || step.type === 'bound') return `${start} ${step.type}`;
  if (step.type === 'private') return `${start}.${step.name}`;
  return step.type === 'entry' ? `${start} entry ${step.index}` : `${start}${printKey(step.key)}`;
}

function printHolder(comparison: Comparison, number: number): string {
  const step = comparison.stepTo(number);
  return step === undefined ? '' : printStep(comparison, step);
}

/** Describes a change: its place, and the values before and after. */
export function printDifference(comparison: Comparison, difference: Difference): { what: string; how: string } {
  const { nodes } = comparison.snapshot;
  if (difference.type === 'variable') {
    const what = `${packageNameOf(difference.scope.file)} ${difference.name}`;
    return { what, how: `${printReference(difference.before, nodes)} when loaded, ${short(difference.now)} now` };
  }
  const start = printHolder(comparison, difference.holder);
  if (difference.type === 'private') {
    const how = `${printReference(difference.before, nodes)} when loaded, ${short(difference.now)} now`;
    return { what: `${start}.${difference.name}`, how };
  }
  if (difference.type !== 'property') return { what: start, how: 'other contents than when loaded' };
  const { key, before, now } = difference;
  const was = before === undefined ? 'not there' : printReference(before, nodes);
  return { what: `${start}${printKey(key)}`, how: `${was} when loaded, ${shortProperty(now)} now` };
}

const short = (value: unknown): string =>
  isPrimitive(value)
    ? printReference(primitiveReference(value), []).slice(0, 40)
    : `a ${typeof value === 'object' ? 'value' : typeof value}`;

const shortProperty = (now: PropertyDescriptor | undefined): string => {
  if (now === undefined) return 'deleted';
  return now.get === undefined && now.set === undefined ? short(now.value) : 'an accessor';
};
