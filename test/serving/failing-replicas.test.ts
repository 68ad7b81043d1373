import { setTimeout } from 'node:timers/promises';
import { answering, ask, askSteadily, metric } from '../helpers/asking.ts';
import { type Cluster, startCluster } from '../helpers/cluster.ts';
import { connect, enqueue, queueOf } from '../helpers/model-queue.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { RawContainer } from '../helpers/raw-container.ts';
import { startReplica } from '../helpers/replica.ts';
import { listenForReplicas } from '../helpers/rpc.ts';
import { until } from '../helpers/until.ts';

quietConsole();

/** A replica that fails every batch until it is healed. */
function failing(cluster: { readonly rpcPort: number }) {
  const state = { isIll: true, batches: 0 };
  const replica = startReplica(
    answering('healed', async () => {
      state.batches++;
      if (state.isIll) throw new RangeError('ill');
    }),
    { port: cluster.rpcPort },
  );
  return { state, [Symbol.asyncDispose]: () => replica[Symbol.asyncDispose]() };
}

async function startUncached(): Promise<Cluster> {
  const cluster = await startCluster({ cacheBytes: 0 });
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles', settings: { batch_size: 1 } });
  return cluster;
}

test('of two replicas the one that fails every batch rests, and is tried again', async () => {
  await using cluster = await startUncached();
  await using ill = failing(cluster);
  await using _well = startReplica(answering('well'), { port: cluster.rpcPort });
  await cluster.replicasConnected(2);
  for (let value = 0; ill.state.batches < 5; value++) await ask(cluster, 'a', value);
  // It rests a second: as many as can be asked in half of one all go to the other.
  const end = performance.now() + 500;
  for (let value = 0; performance.now() < end; value++)
    expect(await ask(cluster, 'a', value)).toMatchObject({ output: `well${value}` });
  expect(ill.state.batches).toBe(5);
  expect(await metric(cluster, 'clipper_failed_batches_total')).toBe(5);
  ill.state.isIll = false;
  await until(async () => (await ask(cluster, 'a', 1)).output === 'healed1', 'the healed replica to be tried');
});

test('the only replica is never rested', async () => {
  await using cluster = await startUncached();
  await using ill = failing(cluster);
  await cluster.replicasConnected(1);
  for (let value = 0; value < 20; value++) expect(await ask(cluster, 'a', value)).toMatchObject({ reason: 'function_error' });
  expect(ill.state.batches).toBe(20);
  ill.state.isIll = false;
  expect(await ask(cluster, 'a', 1)).toMatchObject({ output: 'healed1' });
});

test('a resting replica takes what waits when the other goes', async () => {
  await using rpc = await listenForReplicas();
  await using ill = failing({ rpcPort: rpc.port });
  const queue = queueOf(1);
  queue.addReplica(await rpc.replica(0));
  for (let count = 1; count <= 5; count++) {
    const [failed] = enqueue(queue, count);
    await until(() => failed?.results.length === 1, 'a failure');
  }
  ill.state.isIll = false;
  const other = await connect(rpc, 1);
  await using busy = other.steered;
  queue.addReplica(other.replica);
  enqueue(queue, 10);
  await busy.batch(0);
  const [waiting] = enqueue(queue, 11);
  await setTimeout(30);
  expect(waiting?.results).toEqual([]);
  queue.removeReplica(other.replica);
  await until(() => waiting?.results.length === 1, 'its answer');
  expect(waiting?.results).toEqual([{ kind: 'answered', output: { text: 'healed11', failed: false } }]);
});

describe('a replica that answers what no one expects', () => {
  const big = (mib: number): string => 'first'.padEnd(mib * 2 ** 20, 'x');

  let sent = 0;

  /** Misbehaves on each batch, beside a replica that works; all queries are asked of both. */
  async function besides(misbehave: (container: RawContainer, messageId: Buffer) => Promise<unknown>): Promise<void> {
    await using cluster = await startCluster({ cacheBytes: 0 });
    await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles', sloMs: 1_500, settings: { batch_size: 1 } });
    await using _good = startReplica(answering(), { port: cluster.rpcPort });
    using container = new RawContainer(cluster.rpcPort);
    await container.announce();
    await cluster.replicasConnected(2);
    let isOver = false;
    const misbehaving = (async () => {
      while (!isOver) {
        const messageId = await container.receiveRequest().catch(() => undefined);
        if (messageId === undefined || isOver) return;
        await misbehave(container, messageId);
      }
    })();
    const asked = await askSteadily(cluster, 'a', { perSecond: 30, seconds: 2 });
    isOver = true;
    container[Symbol.dispose]();
    await misbehaving.catch(() => {});
    for (const [value, { output, reason, ms }] of asked.entries()) {
      // An answer of the other is its own first, whatever that is.
      if (reason === undefined && typeof output === 'string') expect(output.slice(0, 5)).toBe('first');
      else if (reason === undefined) expect(output).toBe(value);
      // To read and print what is very large takes the server, and the test, their time.
      expect(ms).toBeLessThan(sent === 0 ? 2_500 : 10_000);
    }
    expect(asked.filter(({ reason }) => reason === undefined).length).toBeGreaterThan(20);
    expect((await ask(cluster, 'a', 1_000)).output).toBe(1_000);
  }

  test.each<[string, (container: RawContainer, messageId: Buffer) => Promise<unknown>]>([
    ['nothing, ever', async () => {}],
    [
      'twice',
      async (container, id) => {
        await container.respond(id, ['first']);
        await container.respond(id, ['second']);
      },
    ],
    [
      'with the id of another batch',
      (container, id) => container.respond(Buffer.from(id.map((byte) => byte ^ 0xff)), ['second']),
    ],
    ['with frames of garbage', (container) => container.send(Buffer.alloc(0), Buffer.from('\x01\x00\x00\x00'), Buffer.alloc(9))],
    ['once with 100 MB', (container, id) => container.respond(id, [sent++ === 0 ? big(100) : 'first'])],
    ['with more than is taken', (container, id) => container.respond(id, [big(300)])],
  ])('%s', (_what, misbehave) => besides(misbehave));
});
