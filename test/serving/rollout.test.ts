import type { RolloutRule } from '../../src/contract/traffic.ts';
import type { Traffic } from '../../src/control/state-store.ts';
import { judge } from '../../src/serving/rollout.ts';
import { TrafficSplitter, VersionOutcome } from '../../src/serving/traffic.ts';

const always = () => true;
const split = (weights: Record<string, number>): Traffic => ({ model: 'm', weights });

function countChoices(traffic: Traffic, count: number, isLive: (version: string) => boolean = always) {
  const splitter = new TrafficSplitter();
  const counts: Record<string, number> = {};
  for (let n = 0; n < count; n++) {
    const version = splitter.choose(traffic, undefined, isLive) ?? 'none';
    counts[version] = (counts[version] ?? 0) + 1;
  }
  return counts;
}

describe('a split', () => {
  test.each([
    [
      { '1': 0.9, '2': 0.1 },
      { '1': 900, '2': 100 },
    ],
    [
      { '1': 3, '2': 1, '3': 0 },
      { '1': 750, '2': 250 },
    ],
    [
      { a: 0.99, b: 0.01 },
      { a: 990, b: 10 },
    ],
  ])('of %j is kept closely, query by query', (weights, expected) => {
    const counts = countChoices(split(weights), 1_000);
    for (const [version, count] of Object.entries(expected)) {
      expect(Math.abs((counts[version] ?? 0) - count)).toBeLessThanOrEqual(3);
    }
    expect(Object.keys(counts).sort()).toEqual(Object.keys(expected));
  });

  test('leaves out versions without a live replica', () => {
    expect(countChoices(split({ '1': 0.5, '2': 0.5 }), 50, (version) => version === '2')).toEqual({ '2': 50 });
    expect(countChoices(split({ '1': 1 }), 1, () => false)).toEqual({ none: 1 });
  });

  test('sends the same key to the same version, and keys by their shares', () => {
    const traffic = split({ '1': 0.8, '2': 0.2 });
    const of = (key: string) => new TrafficSplitter().choose(traffic, key, always);
    const keys = Array.from({ length: 2_000 }, (_, n) => `user-${n}`);
    const chosen = keys.map(of);
    expect(keys.map(of)).toEqual(chosen);
    const share = chosen.filter((version) => version === '2').length / keys.length;
    expect(share).toBeGreaterThan(0.17);
    expect(share).toBeLessThan(0.23);
    // Of a larger share, those stay that were there before.
    const more = split({ '1': 0.6, '2': 0.4 });
    const second = keys.filter((_, n) => chosen[n] === '2');
    expect(second.every((key) => new TrafficSplitter().choose(more, key, always) === '2')).toBe(true);
  });
});

describe('a rule', () => {
  const rule: RolloutRule = { minQueries: 100, maxErrorRate: 0.05, maxP99Ratio: 2, holdMs: 1_000 };
  const outcome = (queries: number, failures: number, ms: number): VersionOutcome => {
    const counted = new VersionOutcome();
    for (let n = 0; n < queries; n++) counted.record(1_000 * ms, n < failures);
    return counted;
  };
  const current = outcome(500, 0, 10);
  const kindOf = (candidate: VersionOutcome, elapsedMs: number, rest: Partial<RolloutRule> = {}) =>
    judge({ rule: { ...rule, ...rest }, candidate, current, elapsedMs })?.kind;

  test.each([
    ['too few queries say nothing, however bad', outcome(99, 99, 10), 5_000, undefined],
    ['many failures give it up at once', outcome(100, 6, 10), 0, 'roll_back'],
    ['as many failures as are allowed do not', outcome(100, 5, 10), 0, undefined],
    ['one that is slow is given up', outcome(100, 0, 25), 0, 'roll_back'],
    ['one that is hardly slower is not', outcome(100, 0, 15), 0, undefined],
    ['one that did well for long enough is promoted', outcome(100, 0, 10), 1_000, 'promote'],
  ] as const)('%s', (_what, candidate, elapsedMs, expected) => {
    expect(kindOf(candidate, elapsedMs)).toBe(expected);
  });

  test('may bound the latency itself', () => {
    const rest = { maxP99Ratio: undefined, maxP99Micros: 9_000 };
    expect([kindOf(outcome(100, 0, 8), 0, rest), kindOf(outcome(100, 0, 15), 0, rest)]).toEqual([undefined, 'roll_back']);
  });

  test('says why', () => {
    const verdict = judge({ rule, candidate: outcome(200, 50, 10), current, elapsedMs: 0 });
    expect(verdict?.reason).toBe('25.00 % of its queries got the default output, more than 5.00 %');
  });
});
