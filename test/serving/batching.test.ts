import { setTimeout } from 'node:timers/promises';
import { connect, enqueue, query, queueOf } from '../helpers/model-queue.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { startReplica } from '../helpers/replica.ts';
import { listenForReplicas } from '../helpers/rpc.ts';
import { until } from '../helpers/until.ts';

quietConsole();

const packed = { packedExtension: true };

test('the earliest deadline goes first, whichever application it is of', async () => {
  await using rpc = await listenForReplicas();
  const { steered, replica } = await connect(rpc, 0);
  await using only = steered;
  const queue = queueOf(2);
  const [hasty, patient] = [{ name: 'hasty' }, { name: 'patient' }];
  for (const value of [1, 2, 3]) queue.enqueue(query(value, 20_000, patient));
  for (const value of [11, 12, 13]) queue.enqueue(query(value, 10_000, hasty));
  queue.addReplica(replica);
  for (const expected of [
    [11, 12],
    [13, 1],
    [2, 3],
  ]) {
    const batch = await only.batch(only.batches.length);
    expect(batch.values).toEqual(expected);
    batch.answer();
  }
});

describe('a replica that keeps a further batch at hand', () => {
  test('is given one while it works when a full one waits, and no third', async () => {
    await using rpc = await listenForReplicas();
    const { steered, replica } = await connect(rpc, 0, packed);
    await using only = steered;
    const queue = queueOf(2);
    queue.addReplica(replica);
    const asked = enqueue(queue, 1, 2, 3, 4, 5, 6, 7);
    (await only.batch(0)).answer();
    await until(() => asked[1]?.results.length === 1, 'the first answers');
    // The second was sent while the first was computed, the third when the first was answered.
    expect(asked.map(({ inFlight }) => inFlight !== undefined)).toEqual([true, true, true, true, true, true, false]);
    const [first, , second, , third] = asked.map(({ inFlight }) => inFlight);
    expect((second?.sentAt ?? Number.POSITIVE_INFINITY) < (first?.answeredAt ?? 0)).toBe(true);
    expect((third?.sentAt ?? 0) >= (first?.answeredAt ?? Number.POSITIVE_INFINITY)).toBe(true);
  });

  test('is not given less than a full one', async () => {
    await using rpc = await listenForReplicas();
    const { steered, replica } = await connect(rpc, 0, packed);
    await using only = steered;
    const queue = queueOf(3);
    queue.addReplica(replica);
    enqueue(queue, 1, 2, 3);
    const first = await only.batch(0);
    const [early] = enqueue(queue, 4, 5);
    await setTimeout(30);
    expect(early?.inFlight).toBeUndefined();
    first.answer();
    expect((await only.batch(1)).values).toEqual([4, 5]);
  });
});

describe('a batch delay', () => {
  const aWhile = { batchDelayMicros: 300_000 };

  test('has a batch that is not full wait for more, and no longer', async () => {
    await using rpc = await listenForReplicas();
    const { steered, replica } = await connect(rpc, 0);
    await using only = steered;
    const queue = queueOf(10, aWhile);
    queue.addReplica(replica);
    const [first] = enqueue(queue, 1);
    await setTimeout(50);
    enqueue(queue, 2);
    expect((await only.batch(0)).values).toEqual([1, 2]);
    expect((first?.inFlight?.sentAt ?? 0) - (first?.receivedAt ?? 0)).toBeGreaterThanOrEqual(299);
    only.batches[0]?.answer();
    enqueue(queue, 3);
    expect((await only.batch(1)).values).toEqual([3]);
  });

  test('leaves time to answer a query whose objective is shorter', async () => {
    await using rpc = await listenForReplicas();
    const { steered, replica } = await connect(rpc, 0);
    await using only = steered;
    const queue = queueOf(10, { batchDelayMicros: 60_000_000 });
    queue.addReplica(replica);
    queue.enqueue(query(1, 50_000, { name: 'patient' }));
    await setTimeout(20);
    const hasty = query(2, 400, { name: 'hasty' });
    queue.enqueue(hasty);
    expect((await only.batch(0)).values).toEqual([2, 1]);
    expect(hasty.inFlight?.sentAt ?? 0).toBeLessThan(hasty.deadline);
  });

  test('does not hold back a full batch', async () => {
    await using rpc = await listenForReplicas();
    const { steered, replica } = await connect(rpc, 0);
    await using only = steered;
    const queue = queueOf(2, { batchDelayMicros: 3_600_000_000 });
    queue.addReplica(replica);
    enqueue(queue, 1);
    await setTimeout(20);
    expect(only.batches).toEqual([]);
    enqueue(queue, 2, 3);
    expect((await only.batch(0)).values).toEqual([1, 2]);
    only.batches[0]?.answer();
    await setTimeout(20);
    expect(only.batches).toHaveLength(1);
  });
});

test('an adaptive batch grows under a backlog', async () => {
  await using rpc = await listenForReplicas();
  const sizes: number[] = [];
  await using _replica = startReplica(
    async (_type, inputs) => {
      sizes.push(inputs.length);
      await setTimeout(5);
      return inputs.map(() => ({ text: '', failed: false }));
    },
    { port: rpc.port },
  );
  const queue = queueOf(-1);
  queue.addReplica(await rpc.replica());
  const asked = enqueue(queue, ...Array(2_000).keys());
  await until(() => asked.every(({ results }) => results.length === 1), 'all answers');
  expect(sizes[0]).toBe(1);
  expect(Math.max(...sizes)).toBeGreaterThanOrEqual(64);
  expect(asked.every(({ results: [result] }) => result?.kind === 'answered')).toBe(true);
});
