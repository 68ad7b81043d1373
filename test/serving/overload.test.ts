import { setTimeout } from 'node:timers/promises';
import { type Asked, answering, ask, askSteadily } from '../helpers/asking.ts';
import { type Cluster, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { startReplica } from '../helpers/replica.ts';

quietConsole();

const batchMs = 20;
const sloMs = 500;

/** A server with the application `a` linked to version 1 of model `m`, which takes one query a batch. */
async function startOneByOne(objectiveMs: number): Promise<Cluster> {
  const cluster = await startCluster({ cacheBytes: 0 });
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles', sloMs: objectiveMs, settings: { batch_size: 1 } });
  return cluster;
}

const isAnswered = ({ reason }: Asked): boolean => reason === undefined;

/** Asks one after the other. */
async function askInTurn(cluster: Cluster, count: number): Promise<readonly Asked[]> {
  const asked: Asked[] = [];
  for (let value = 0; value < count; value++) asked.push(await ask(cluster, 'a', value));
  return asked;
}

test('of twice what a replica can do, about half is answered in time and the rest is refused at once', async () => {
  await using cluster = await startOneByOne(sloMs);
  await using _slow = startReplica(
    answering('', () => setTimeout(batchMs)),
    { port: cluster.rpcPort },
  );
  await cluster.replicasConnected(1);
  expect((await askInTurn(cluster, 20)).every(isAnswered)).toBe(true);
  const asked = await askSteadily(cluster, 'a', { perSecond: 100, seconds: 3 });
  const { json: events } = await cluster.get('management', '/admin/v1/events');
  const overloads = (events as { kind: string; message: string }[]).filter(({ kind }) => kind === 'shed');
  // However many queries were shed, it is told of once in ten seconds.
  expect(overloads).toHaveLength(1);
  expect(overloads[0]?.message).toMatch(/^m:1 is overloaded and sheds queries, 1 since this was told last: /);
  const [answered, refused] = [asked.filter(isAnswered), asked.filter((each) => !isAnswered(each))];
  // A timer is late now and then: a replica does somewhat less than 50 a second.
  expect(answered.length).toBeGreaterThan(100);
  expect(answered.length).toBeLessThan(200);
  for (const { explain } of answered) expect(explain.timeline.answered).toBeLessThanOrEqual(1_000 * sloMs);
  const [shed, others] = [
    refused.filter(({ reason }) => reason === 'overloaded'),
    refused.filter(({ reason }) => reason !== 'overloaded'),
  ];
  expect(others.length).toBeLessThan(0.05 * asked.length);
  const times = shed.map(({ explain }) => explain.timeline.answered as number).sort((one, other) => one - other);
  expect(times[Math.floor(times.length * 0.9)]).toBeLessThan((1_000 * sloMs) / 2);
  // Afterwards all is as before.
  await setTimeout(sloMs);
  expect((await askInTurn(cluster, 20)).every(isAnswered)).toBe(true);
});

test('a replica that hangs is not counted on: what is too much for the other is refused at once', async () => {
  await using cluster = await startOneByOne(sloMs);
  await using _slow = startReplica(
    answering('', () => setTimeout(batchMs)),
    { port: cluster.rpcPort },
  );
  const hanging = new AbortController();
  let isHung = false;
  const work = (): Promise<void> => setTimeout(isHung ? 100_000 : batchMs, undefined, { signal: hanging.signal });
  await using _hung = startReplica(answering('', work), { port: cluster.rpcPort });
  await cluster.replicasConnected(2);
  expect((await askInTurn(cluster, 40)).every(isAnswered)).toBe(true);
  isHung = true;
  const asked = await askSteadily(cluster, 'a', { perSecond: 100, seconds: 2 });
  hanging.abort();
  expect(asked.filter(isAnswered).length).toBeGreaterThan(60);
  const refused = asked.filter(({ reason }) => reason === 'overloaded');
  const times = refused.map(({ explain }) => explain.timeline.answered as number).sort((one, other) => one - other);
  expect(times[Math.floor(times.length * 0.8)]).toBeLessThan((1_000 * sloMs) / 2);
});

test('a replica that is idle is given a query however slow it was', async () => {
  await using cluster = await startOneByOne(40);
  let calls = 0;
  await using _slow = startReplica(
    answering('', async () => {
      calls++;
      await setTimeout(60);
    }),
    { port: cluster.rpcPort },
  );
  await cluster.replicasConnected(1);
  const reasons = new Set<string | undefined>();
  for (let value = 0; value < 15; value++) {
    reasons.add((await ask(cluster, 'a', value)).reason);
    await setTimeout(50);
  }
  expect([...reasons]).toEqual(['slo_computing']);
  expect(calls).toBe(15);
});

test.each([1, 6])('a replica that was slow for its first %s batches serves again once it is fast', async (slowBatches) => {
  await using cluster = await startOneByOne(100);
  let calls = 0;
  await using _replica = startReplica(
    answering('', () => setTimeout(calls++ < slowBatches ? 300 : 1)),
    { port: cluster.rpcPort },
  );
  await cluster.replicasConnected(1);
  await askSteadily(cluster, 'a', { perSecond: 50, seconds: 1 + 0.35 * slowBatches });
  const recovered = await askSteadily(cluster, 'a', { perSecond: 50, seconds: 1 });
  expect(recovered.filter(isAnswered).length).toBeGreaterThan(0.9 * recovered.length);
});
