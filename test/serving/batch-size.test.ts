import { additiveIncrease, latencyBound, policyFor } from '../../src/serving/batch-size.ts';
import { LatencyModel } from '../../src/serving/latency-model.ts';

const full = { latencyMs: 5, budgetMs: 10 };
const anyBudget = 1_000;

test('a fixed size stays, whatever happens', () => {
  const policy = policyFor(7, new LatencyModel());
  policy.observe({ size: 7, latencyMs: 100, budgetMs: 10 });
  expect(policy.sizeFor(1)).toBe(7);
});

describe('additive increase', () => {
  test('begins at one and grows by one with each full batch in time', () => {
    const policy = additiveIncrease();
    const sizes = Array.from({ length: 5 }, () => {
      const size = policy.sizeFor(anyBudget);
      policy.observe({ size, ...full });
      return size;
    });
    expect(sizes).toEqual([1, 2, 3, 4, 5]);
  });

  test('takes a batch that was not full for no reason to grow', () => {
    const policy = additiveIncrease();
    policy.observe({ size: 1, ...full });
    policy.observe({ size: 1, ...full });
    expect(policy.sizeFor(anyBudget)).toBe(2);
  });

  test('shrinks by a tenth when a batch was late, and never below one', () => {
    const policy = additiveIncrease();
    for (let size = 1; size < 20; size = policy.sizeFor(anyBudget)) policy.observe({ size, ...full });
    policy.observe({ size: 20, latencyMs: 11, budgetMs: 10 });
    expect(policy.sizeFor(anyBudget)).toBe(18);
    for (let late = 0; late < 50; late++) policy.observe({ size: 18, latencyMs: 11, budgetMs: 10 });
    expect(policy.sizeFor(anyBudget)).toBe(1);
  });

  test('does not grow without end', () => {
    const policy = additiveIncrease();
    for (let batch = 0; batch < 10_000; batch++) policy.observe({ size: policy.sizeFor(anyBudget), ...full });
    expect(policy.sizeFor(anyBudget)).toBe(4_096);
  });
});

/** Sends batches as large as the policy says to a replica of this speed, which queries never wait for. */
function run({ fixedMs, inputMs, budgetMs, batches }: { fixedMs: number; inputMs: number; budgetMs: number; batches: number }) {
  const model = new LatencyModel();
  const policy = latencyBound(model);
  const sizes: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const size = policy.sizeFor(budgetMs);
    const latencyMs = fixedMs + inputMs * size;
    sizes.push(size);
    model.observe(size, latencyMs);
    policy.observe({ size, latencyMs, budgetMs });
  }
  return { policy, sizes, latencyOf: (size: number) => fixedMs + inputMs * size };
}

describe('bound by latency', () => {
  test('explores by doubling and never sends a batch that would be late', () => {
    const { sizes, latencyOf } = run({ fixedMs: 2, inputMs: 0.1, budgetMs: 10, batches: 200 });
    expect(sizes.slice(0, 4)).toEqual([1, 2, 4, 8]);
    expect(Math.max(...sizes.map(latencyOf))).toBeLessThanOrEqual(10);
    expect(sizes.at(-1)).toBeGreaterThanOrEqual(60);
  });

  test('sends less where less time is left', () => {
    const { policy, latencyOf } = run({ fixedMs: 2, inputMs: 0.1, budgetMs: 10, batches: 200 });
    const size = policy.sizeFor(5);
    expect(latencyOf(size)).toBeLessThanOrEqual(5);
    expect(size).toBeGreaterThan(10);
    expect(policy.sizeFor(0.5)).toBe(1);
    expect(policy.sizeFor(-3)).toBe(1);
  });

  test('does not make batches larger than is of use', () => {
    const { sizes } = run({ fixedMs: 0.01, inputMs: 1, budgetMs: 10_000, batches: 200 });
    expect(Math.max(...sizes.slice(20))).toBeLessThanOrEqual(8);
  });

  test('follows a replica that becomes slower, and one that becomes faster', () => {
    const model = new LatencyModel();
    const policy = latencyBound(model);
    const sizeAfter = (inputMs: number): number => {
      for (let batch = 0; batch < 300; batch++) {
        const size = policy.sizeFor(20);
        model.observe(size, 1 + inputMs * size);
        policy.observe({ size, latencyMs: 1 + inputMs * size, budgetMs: 20 });
      }
      return policy.sizeFor(20);
    };
    const quick = sizeAfter(0.1);
    const slow = sizeAfter(0.4);
    expect(slow).toBeLessThan(quick / 2);
    expect(1 + 0.4 * slow).toBeLessThanOrEqual(20);
    expect(sizeAfter(0.1)).toBeGreaterThan(2 * slow);
  });
});
