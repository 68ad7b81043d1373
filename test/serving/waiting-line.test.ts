import * as fc from 'fast-check';
import { WaitingLine } from '../../src/serving/waiting-line.ts';

interface Item {
  readonly application: object;
  readonly deadline: number;
  isWanted: boolean;
}

const applications = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
/** Each application's deadlines in their order, mixed with those of others. */
const arrivals = fc.array(fc.record({ of: fc.nat(2), after: fc.nat(9) }), { maxLength: 60 }).map((steps) => {
  const latest = [0, 500, 50];
  return steps.map(({ of, after }): Item => {
    latest[of] = (latest[of] as number) + after;
    return { application: applications[of] as object, deadline: latest[of] as number, isWanted: true };
  });
});

const drained = (line: WaitingLine<Item>): Item[] => {
  const all: Item[] = [];
  for (let next = line.shift(); next !== undefined; next = line.shift()) all.push(next);
  return all;
};

test('it gives the earliest deadline first, of whatever application', () => {
  fc.assert(
    fc.property(arrivals, (items) => {
      const line = new WaitingLine<Item>();
      for (const item of items) line.push(item);
      expect(line.size).toBe(items.length);
      const deadlines = drained(line).map(({ deadline }) => deadline);
      expect(deadlines).toEqual(items.map(({ deadline }) => deadline).sort((a, b) => a - b));
      expect(line.size).toBe(0);
    }),
  );
});

test('it leaves out what nobody wants any more, and counts what comes before a deadline', () => {
  fc.assert(
    fc.property(arrivals, fc.nat(600), fc.func(fc.boolean()), (items, deadline, keep) => {
      const line = new WaitingLine<Item>();
      for (const item of items) line.push(item);
      expect(line.countUntil(deadline)).toBe(items.filter((item) => item.deadline <= deadline).length);
      for (const item of items) item.isWanted = keep(item.deadline);
      expect(drained(line)).toHaveLength(items.filter(({ isWanted }) => isWanted).length);
    }),
  );
});

test('the newest of the longest line before a deadline can be taken out, and what was taken put back', () => {
  const line = new WaitingLine<Item>();
  const [a, b] = applications as [object, object];
  const items = [10, 11, 12].map((deadline) => ({ application: a, deadline, isWanted: true }));
  for (const item of items) line.push(item);
  line.push({ application: b, deadline: 5, isWanted: true });
  expect(line.takeNewestOfLongest(11, 2)).toBeUndefined();
  expect(line.takeNewestOfLongest(11, 1)).toBe(items[1]);
  expect([line.size, line.countOf(a), line.countOf(b)]).toEqual([3, 2, 1]);
  const first = line.shift() as Item;
  expect(first.deadline).toBe(5);
  line.putBack(first);
  expect(drained(line).map(({ deadline }) => deadline)).toEqual([5, 10, 12]);
});

test('what is put back comes at its place again, in whatever order', () => {
  const line = new WaitingLine<Item>();
  const [a] = applications as [object];
  const items = [1, 2, 3, 4, 5, 6].map((deadline) => ({ application: a, deadline, lastDeadline: deadline, isWanted: true }));
  for (const item of items) line.push(item);
  const taken = [1, 2, 3, 4].map(() => line.shift() as Item);
  for (const index of [1, 0, 3, 2]) line.putBack(taken[index] as Item);
  expect(line.countUntil(4)).toBe(4);
  expect(drained(line).map(({ deadline }) => deadline)).toEqual([1, 2, 3, 4, 5, 6]);
});
