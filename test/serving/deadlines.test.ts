import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Deadlines } from '../../src/serving/deadlines.ts';
import { until } from '../helpers/until.ts';

interface Timed {
  readonly name: string;
  readonly expiresAt: number;
  isSettled: boolean;
}

const inMs = (name: string, ms: number): Timed => ({ name, expiresAt: performance.now() + ms, isSettled: false });

/** Deadlines that remember who expired, and never before its time. */
function observed() {
  const expired: string[] = [];
  const early: string[] = [];
  const deadlines = new Deadlines<Timed>(({ name, expiresAt }) => {
    expired.push(name);
    if (performance.now() < expiresAt) early.push(name);
  });
  return { deadlines, expired, early };
}

test('queries expire in order and not before their time', async () => {
  const watch = observed();
  for (const [index, name] of ['a', 'b', 'c'].entries()) watch.deadlines.add(inMs(name, 10 + 10 * index));
  await until(() => watch.expired.length === 3, 'three to expire');
  expect(watch).toMatchObject({ expired: ['a', 'b', 'c'], early: [] });
});

test('what is answered does not expire, and what comes after it does', async () => {
  const watch = observed();
  const queries = [inMs('a', 10), inMs('b', 10), inMs('c', 15)];
  for (const query of queries) watch.deadlines.add(query);
  for (const query of queries.slice(0, 2)) query.isSettled = true;
  await until(() => watch.expired.length === 1, 'one to expire');
  expect(watch.expired).toEqual(['c']);
});

test('queries that come after all others expired do so too', async () => {
  const watch = observed();
  watch.deadlines.add(inMs('a', 1));
  await until(() => watch.expired.length === 1, 'the first');
  watch.deadlines.add(inMs('b', 1));
  await until(() => watch.expired.length === 2, 'the second');
});

test('an objective of months is no timer that fires at once, again and again', async () => {
  const watch = observed();
  const timers = jest.spyOn(globalThis, 'setTimeout');
  watch.deadlines.add(inMs('a', 2 ** 33));
  await setTimeout(30);
  expect(timers).toHaveBeenCalledTimes(1);
  timers.mockRestore();
});

test('what is answered is let go of, also where an earlier one still waits', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const { deadlines } = observed();
  deadlines.add(inMs('waits', 100_000));
  const answered: WeakRef<Timed>[] = [];
  for (let count = 0; count < 10_000; count++) {
    const query = inMs('answered', 100_000);
    deadlines.add(query);
    query.isSettled = true;
    answered.push(new WeakRef(query));
  }
  await setTimeout(0);
  collectGarbage();
  expect(answered.filter((query) => query.deref() !== undefined).length).toBeLessThan(3_000);
});
