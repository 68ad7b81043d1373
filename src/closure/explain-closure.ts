import { resolveOptions } from '../util/options.ts';
import { CaptureOptions } from './capture/options.ts';
import { readGraph } from './capture-closure.ts';
import type { CapturedClosure } from './graph/closure.ts';
import type { Problem } from './graph/problem.ts';
import { printReport } from './report/print.ts';
import type { CaptureReport } from './report/report.ts';
import { treeOf } from './report/tree.ts';

/** Reports what a capture would include and how, and what can't travel and why. Writes nothing. */
export async function explainClosure(fn: Function, options: CaptureOptions = {}): Promise<CaptureReport> {
  const resolved = resolveOptions(CaptureOptions, options, 'explainClosure');
  const { captured, problems } = await readGraph({ default: fn }, resolved);
  return reportOf(captured, problems);
}

/** Summarizes a captured graph. */
export function reportOf(captured: CapturedClosure, problems: readonly Problem[]): CaptureReport {
  const roots = treeOf(captured);
  const { warnings } = captured;
  const bytes = roots.reduce((sum, root) => sum + root.bytes, 0);
  return { roots, problems, warnings, bytes, toString: () => printReport({ roots, problems, warnings, bytes }) };
}
