import { LatencyModel } from '../../src/serving/latency-model.ts';

/** A model after batches of these sizes, each of which took what `latencyOf` says. */
function trained(sizes: readonly number[], latencyOf: (size: number, batch: number) => number): LatencyModel {
  const model = new LatencyModel();
  for (const [batch, size] of sizes.entries()) model.observe(size, latencyOf(size, batch));
  return model;
}

const mixed = Array.from({ length: 400 }, (_, batch) => 1 + ((batch * 7) % 64));

test('it finds the fixed cost of a batch and the cost of an input', () => {
  const model = trained(mixed, (size) => 3 + 0.25 * size);
  expect(model.mean(0)).toBeCloseTo(3, 3);
  expect(model.mean(100)).toBeCloseTo(28, 3);
  expect(model.sizeWithin(13.01)).toBe(40);
  expect(model.sizeForFixedShare(0.1)).toBeCloseTo(120, 1);
});

test('its percentiles lie above the mean as the slow batches do', () => {
  // One of ten takes twice as long, in an order that repeats after 97.
  const model = trained(
    Array.from({ length: 4_000 }, () => 10),
    (_, batch) => ((batch * 31) % 97 < 10 ? 20 : 10),
  );
  expect(model.p95(10)).toBeGreaterThan(17);
  expect(model.p95(10)).toBeLessThan(23);
  expect(model.p99(10)).toBeGreaterThan(17);
});

test('batches of one size alone are taken for a fixed cost, so that larger ones are tried', () => {
  const model = trained(
    Array.from({ length: 20 }, () => 1),
    () => 5,
  );
  expect(model.sizeWithin(6)).toBe(Number.POSITIVE_INFINITY);
  expect(model.sizeWithin(4)).toBe(0);
});

test('a single outlier among many hardly moves it', () => {
  const model = trained(mixed, (size, batch) => (batch === 390 ? 500 : 3 + 0.25 * size));
  expect(model.p99(40)).toBeLessThan(2 * 13 + 20);
});

test('it is believed after some batches only', () => {
  expect(trained([1, 2, 3], (size) => size).isTrained).toBe(false);
  expect(trained(mixed, (size) => size).isTrained).toBe(true);
});
