import { additiveIncrease, policyFor } from '../../src/serving/batch-size.ts';

const full = { latencyMs: 5, budgetMs: 10 };

test('a fixed size stays, whatever happens', () => {
  const policy = policyFor(7);
  policy.observe({ size: 7, latencyMs: 100, budgetMs: 10 });
  expect(policy.size).toBe(7);
});

test('an adaptive size begins at one and grows by one with each full batch in time', () => {
  const policy = policyFor(-1);
  const sizes = Array.from({ length: 5 }, () => {
    const { size } = policy;
    policy.observe({ size, ...full });
    return size;
  });
  expect(sizes).toEqual([1, 2, 3, 4, 5]);
});

test('a batch that was not full is no reason to grow', () => {
  const policy = additiveIncrease();
  policy.observe({ size: 1, ...full });
  policy.observe({ size: 1, ...full });
  expect(policy.size).toBe(2);
});

test('a batch that was late shrinks it by a tenth, and never below one', () => {
  const policy = additiveIncrease();
  while (policy.size < 20) policy.observe({ size: policy.size, ...full });
  policy.observe({ size: 20, latencyMs: 11, budgetMs: 10 });
  expect(policy.size).toBe(18);
  for (let late = 0; late < 50; late++) policy.observe({ size: policy.size, latencyMs: 11, budgetMs: 10 });
  expect(policy.size).toBe(1);
});

test('it does not grow without end', () => {
  const policy = additiveIncrease();
  for (let batch = 0; batch < 10_000; batch++) policy.observe({ size: policy.size, ...full });
  expect(policy.size).toBe(4_096);
});
