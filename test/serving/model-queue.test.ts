import { setTimeout } from 'node:timers/promises';
import { ModelMetrics } from '../../src/metrics/counted.ts';
import { encodeInput } from '../../src/protocol/input-types.ts';
import type { RpcReplica } from '../../src/rpc/rpc-replica.ts';
import type { Computation, ComputationResult } from '../../src/serving/computation.ts';
import { ModelQueue, type QueueSettings } from '../../src/serving/model-queue.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { listenForReplicas, type ObservedRpcServer } from '../helpers/rpc.ts';
import { type SteeredReplica, startSteeredReplica } from '../helpers/steered-replica.ts';
import { until } from '../helpers/until.ts';

quietConsole();

type Asked = Computation & { isWanted: boolean; readonly results: ComputationResult[] };

const someApplication = { name: 'a' };

/** A computation that remembers its results. */
function query(value: number, lifeMs = 10_000, application: object = someApplication): Asked {
  const results: ComputationResult[] = [];
  const receivedAt = performance.now();
  const asked: Asked = {
    application,
    input: encodeInput(Float64Array.of(value)),
    receivedAt,
    deadline: receivedAt + lifeMs,
    trip: undefined,
    copies: 0,
    isWanted: true,
    isRetried: false,
    results,
    finish: (result) => {
      asked.isWanted = false;
      results.push(result);
    },
  };
  return asked;
}

const enqueue = (queue: ModelQueue, ...values: number[]) => {
  const queries = values.map((value) => query(value));
  for (const each of queries) queue.enqueue(each);
  return queries;
};

const queueOf = (batchSize: number, settings: Partial<QueueSettings> = {}): ModelQueue =>
  new ModelQueue(() => ({ batchSize, batchDelayMicros: 0, hedge: false, ...settings }), new ModelMetrics());

const answered = (text: string): ComputationResult => ({ kind: 'answered', output: { text, failed: false } });

/** Starts the nth replica and waits until it is connected. */
async function connect(
  rpc: ObservedRpcServer,
  nth: number,
  environment: object = { packedExtension: false },
): Promise<{ steered: SteeredReplica; replica: RpcReplica }> {
  const steered = startSteeredReplica({ port: rpc.port, instance: `i${nth}`, ...environment });
  return { steered, replica: await rpc.replica(nth) };
}

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
