import { CircuitBreaker } from '../../src/serving/circuit-breaker.ts';

const fail = (breaker: CircuitBreaker, times: number, at: number): void => {
  for (let time = 0; time < times; time++) breaker.record(true, at);
};

test('it opens after five failures in a row, for a second, then for twice as long each time up to half a minute', () => {
  const breaker = new CircuitBreaker();
  fail(breaker, 4, 0);
  expect(breaker.isOpen(1)).toBe(false);
  fail(breaker, 1, 0);
  expect([breaker.isOpen(999), breaker.isOpen(1_000)]).toEqual([true, false]);
  const rests = [1_000, 5_000, 20_000, 60_000, 120_000, 240_000].map((at) => {
    fail(breaker, 1, at);
    return [2, 4, 8, 16, 30, 31].find((seconds) => !breaker.isOpen(at + seconds * 1_000));
  });
  expect(rests).toEqual([2, 4, 8, 16, 30, 30]);
});

test('a success closes it for good', () => {
  const breaker = new CircuitBreaker();
  fail(breaker, 5, 0);
  breaker.record(false, 1_500);
  fail(breaker, 4, 1_500);
  expect(breaker.isOpen(1_501)).toBe(false);
  fail(breaker, 1, 1_500);
  expect([breaker.isOpen(2_499), breaker.isOpen(2_500)]).toEqual([true, false]);
});
