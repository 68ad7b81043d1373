import type { RolloutRule } from '../contract/traffic.ts';
import type { Traffic } from '../control/state-store.ts';
import type { TrafficSplitter, TrafficStats, VersionOutcome } from './traffic.ts';

/** A rule's decision, with the reason. */
export interface Verdict {
  readonly kind: 'promote' | 'roll_back';
  readonly reason: string;
}

/** The figures by which a rule decides. */
export interface Comparison {
  readonly rule: RolloutRule;
  readonly candidate: VersionOutcome;
  /** The current version's. */
  readonly current: VersionOutcome;
  readonly elapsedMs: number;
}

/** Whether to promote or roll back a candidate; undefined while it is undecided. */
export function judge({ rule, candidate, current, elapsedMs }: Comparison): Verdict | undefined {
  const { minQueries, maxErrorRate, maxP99Micros, maxP99Ratio, holdMs } = rule;
  if (candidate.queries < minQueries) return undefined;
  const rate = candidate.failures / candidate.queries;
  const p99 = p99Of(candidate);
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  if (rate > maxErrorRate) {
    return {
      kind: 'roll_back',
      reason: `${percent(rate)} of its queries got the default output, more than ${percent(maxErrorRate)}`,
    };
  }
  if (maxP99Micros !== undefined && p99 > maxP99Micros) {
    return { kind: 'roll_back', reason: `its p99 latency is ${ms(p99)}, more than ${ms(maxP99Micros)}` };
  }
  if (maxP99Ratio !== undefined && current.queries >= minQueries && p99 > maxP99Ratio * p99Of(current)) {
    const reason = `its p99 latency is ${ms(p99)}, more than ${maxP99Ratio} times the ${ms(p99Of(current))} of the current version`;
    return { kind: 'roll_back', reason };
  }
  if (elapsedMs < holdMs) return undefined;
  return { kind: 'promote', reason: `${candidate.queries} queries, ${percent(rate)} default outputs, p99 latency ${ms(p99)}` };
}

const p99Of = ({ latency }: VersionOutcome): number => latency.summary().quantile(0.99);
const ms = (micros: number): string => `${(micros / 1_000).toFixed(1)} ms`;

export interface RolloutParts {
  readonly splitter: TrafficSplitter;
  readonly traffics: () => readonly Traffic[];
  readonly currentVersion: (model: string) => string | undefined;
  /** Why a version has no replica and gets none until it is scaled again; undefined if it has or may get one. */
  readonly whyGivenUp: (model: string, version: string) => string | undefined;
  readonly carryOut: (traffic: Traffic, candidate: string, verdict: Verdict) => Promise<void>;
}

const judgeEveryMs = 500;

/** Judges the splits that have a rule twice a second, and carries out the decisions. */
export class Rollouts implements Disposable {
  readonly #parts: RolloutParts;
  readonly #timer: NodeJS.Timeout;
  readonly #decided = new WeakSet<Traffic>();

  constructor(parts: RolloutParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#judgeAll(), judgeEveryMs).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #judgeAll(): void {
    const { splitter, traffics, currentVersion, whyGivenUp, carryOut } = this.#parts;
    for (const traffic of traffics()) {
      if (traffic.rule === undefined || this.#decided.has(traffic)) continue;
      const current = currentVersion(traffic.model) ?? '';
      const candidate = Object.keys(traffic.weights).find((version) => version !== current);
      if (candidate === undefined) continue;
      // A candidate that was given up gets no queries to be judged by.
      const reason = whyGivenUp(traffic.model, candidate);
      const verdict: Verdict | undefined =
        reason === undefined
          ? judgeStats(splitter.statsOf(traffic), traffic.rule, { candidate, current })
          : { kind: 'roll_back', reason };
      if (verdict === undefined) continue;
      this.#decided.add(traffic);
      // If it can't be carried out now, the split is judged again.
      carryOut(traffic, candidate, verdict).catch(() => this.#decided.delete(traffic));
    }
  }
}

function judgeStats(
  stats: TrafficStats,
  rule: RolloutRule,
  { candidate, current }: { candidate: string; current: string },
): Verdict | undefined {
  const elapsedMs = performance.now() - stats.startedAt;
  return judge({ rule, candidate: stats.version(candidate), current: stats.version(current), elapsedMs });
}
