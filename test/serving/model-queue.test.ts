import { setTimeout } from 'node:timers/promises';
import { answered, connect, enqueue, queueOf } from '../helpers/model-queue.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { listenForReplicas } from '../helpers/rpc.ts';
import { until } from '../helpers/until.ts';

quietConsole();

test('a replica has one batch in flight, of the policy’s size at most', async () => {
  await using rpc = await listenForReplicas();
  const { steered, replica } = await connect(rpc, 0);
  await using only = steered;
  const queue = queueOf(2);
  queue.addReplica(replica);
  const queries = enqueue(queue, 1, 2, 3, 4, 5);
  expect((await only.batch(0)).values).toEqual([1, 2]);
  await setTimeout(20);
  expect(only.batches).toHaveLength(1);
  only.batches[0]?.answer('=');
  expect((await only.batch(1)).values).toEqual([3, 4]);
  only.batches[1]?.answer('=');
  (await only.batch(2)).answer('=');
  await until(() => queries.every(({ isWanted }) => !isWanted), 'all answers');
  expect(queries.map(({ results }) => results)).toEqual([1, 2, 3, 4, 5].map((value) => [answered(`=${value}`)]));
});

test('replicas share the queue: the one that is free takes the next batch', async () => {
  await using rpc = await listenForReplicas();
  const first = await connect(rpc, 0);
  await using one = first.steered;
  const second = await connect(rpc, 1);
  await using two = second.steered;
  const queue = queueOf(1);
  queue.addReplica(first.replica);
  queue.addReplica(second.replica);
  enqueue(queue, 1, 2, 3);
  expect((await one.batch(0)).values).toEqual([1]);
  expect((await two.batch(0)).values).toEqual([2]);
  two.batches[0]?.answer();
  expect((await two.batch(1)).values).toEqual([3]);
  expect(one.batches).toHaveLength(1);
});

test('queries wait for a replica, and those that nobody waits for are never sent', async () => {
  await using rpc = await listenForReplicas();
  const { steered, replica } = await connect(rpc, 0);
  await using only = steered;
  const queue = queueOf(10);
  const [, settled] = enqueue(queue, 1, 2);
  enqueue(queue, 4);
  if (settled !== undefined) settled.isWanted = false;
  await setTimeout(10);
  queue.addReplica(replica);
  expect((await only.batch(0)).values).toEqual([1, 4]);
});

describe('a replica that is lost', () => {
  test('has its queries tried once on another, before those that wait', async () => {
    await using rpc = await listenForReplicas();
    const first = await connect(rpc, 0);
    await using lost = first.steered;
    const second = await connect(rpc, 1);
    await using heir = second.steered;
    const queue = queueOf(2);
    queue.addReplica(first.replica);
    const queries = enqueue(queue, 1, 2, 3);
    await lost.batch(0);
    queue.addReplica(second.replica);
    expect((await heir.batch(0)).values).toEqual([3]);
    enqueue(queue, 4);
    queue.removeReplica(first.replica);
    rpc.server.instanceEnded('i0', 'it ended');
    heir.batches[0]?.answer();
    expect((await heir.batch(1)).values).toEqual([1, 2]);
    heir.batches[1]?.answer();
    expect((await heir.batch(2)).values).toEqual([4]);
    expect(queries.map(({ results }) => results)).toEqual([[answered('1')], [answered('2')], [answered('3')]]);
  });

  test('the second time too gives its queries up', async () => {
    await using rpc = await listenForReplicas();
    const first = await connect(rpc, 0);
    await using one = first.steered;
    const second = await connect(rpc, 1);
    await using two = second.steered;
    const queue = queueOf(2);
    queue.addReplica(first.replica);
    const [asked] = enqueue(queue, 1);
    await one.batch(0);
    queue.removeReplica(first.replica);
    rpc.server.instanceEnded('i0', 'it ended');
    queue.addReplica(second.replica);
    await two.batch(0);
    queue.removeReplica(second.replica);
    rpc.server.instanceEnded('i1', 'it ended with code 1');
    await until(() => asked?.isWanted === false, 'the query to be given up');
    expect(asked?.results).toEqual([{ kind: 'lost', why: 'Replica m:1:1 is gone: it ended with code 1' }]);
  });
});

test('a replica that is removed answers what it has and is sent no more', async () => {
  await using rpc = await listenForReplicas();
  const { steered, replica } = await connect(rpc, 0);
  await using only = steered;
  const queue = queueOf(1);
  queue.addReplica(replica);
  const [first, second] = enqueue(queue, 1, 2);
  const batch = await only.batch(0);
  queue.removeReplica(replica);
  batch.answer();
  await until(() => first?.isWanted === false, 'the first answer');
  await setTimeout(20);
  expect(only.batches).toHaveLength(1);
  expect(second?.results).toEqual([]);
  expect(queue.replicaCount).toBe(0);
});
