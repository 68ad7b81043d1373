import { setTimeout } from 'node:timers/promises';
import { answering, ask, metric } from '../helpers/asking.ts';
import { type Cluster, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { RawContainer } from '../helpers/raw-container.ts';
import { startReplica } from '../helpers/replica.ts';
import { until } from '../helpers/until.ts';

quietConsole();

/** A server with the application `a` linked to version 1 of model `m`, whose outputs it does not keep. */
async function startUncached(settings: object = {}, sloMs = 10_000): Promise<Cluster> {
  const cluster = await startCluster({ cacheBytes: 0 });
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles', sloMs, settings: { batch_size: 1, ...settings } });
  return cluster;
}

describe('queries in flight in a replica whose connection is lost', () => {
  test('are answered by another, each once', async () => {
    await using cluster = await startUncached({ batch_size: 3 });
    const container = new RawContainer(cluster.rpcPort);
    await container.announce();
    await cluster.replicasConnected(1);
    const asking = cluster.query('/a/predict', { input_batch: [[1], [2], [3]] });
    await container.receiveRequest();
    const seen: number[] = [];
    await using _heir = startReplica(
      answering('heir', async (values) => void seen.push(...values)),
      { port: cluster.rpcPort },
    );
    await cluster.replicasConnected(2);
    container[Symbol.dispose]();
    const outputs = (await asking).json.batch_predictions.map(({ output }: { output: string }) => output);
    expect(outputs).toEqual(['heir1', 'heir2', 'heir3']);
    expect(seen).toEqual([1, 2, 3]);
    expect(await metric(cluster, 'clipper_retried_total')).toBe(3);
  });

  test('are answered by the one that takes its place, where it was the only one', async () => {
    await using cluster = await startUncached();
    const container = new RawContainer(cluster.rpcPort);
    await container.announce();
    await cluster.replicasConnected(1);
    const asking = ask(cluster, 'a', 1);
    await container.receiveRequest();
    container[Symbol.dispose]();
    await cluster.replicasConnected(0);
    await using _heir = startReplica(answering('heir'), { port: cluster.rpcPort });
    expect(await asking).toMatchObject({ output: 'heir1', reason: undefined });
  });
});

describe('hedging', () => {
  test('has a slow replica’s batch answered by another, long before', async () => {
    await using cluster = await startUncached({ hedge: true });
    const slow = { isOn: false, ms: 3_000 };
    const work = async (values: readonly number[]): Promise<void> => {
      if (slow.isOn && values.includes(1_000)) {
        slow.isOn = false;
        await setTimeout(slow.ms);
      } else await setTimeout(10);
    };
    await using _one = startReplica(answering('', work), { port: cluster.rpcPort });
    await using _two = startReplica(answering('', work), { port: cluster.rpcPort });
    await cluster.replicasConnected(2);
    // Both learn how long a batch takes.
    for (let value = 0; value < 40; value++) await ask(cluster, 'a', value);
    const before = await metric(cluster, 'clipper_hedged_total');
    slow.isOn = true;
    const hedged = await ask(cluster, 'a', 1_000);
    expect(hedged).toMatchObject({ output: 1_000, reason: undefined });
    expect(hedged.ms).toBeLessThan(slow.ms / 2);
    expect(await metric(cluster, 'clipper_hedged_total')).toBeGreaterThan(before);
    // What the slow one answers in the end is dropped, and it serves again.
    const late = await metric(cluster, 'clipper_late_results_total');
    await until(async () => (await metric(cluster, 'clipper_late_results_total')) > late, 'the second result');
    const [one, other] = await Promise.all([ask(cluster, 'a', 7), ask(cluster, 'a', 8)]);
    expect([one.output, other.output]).toEqual([7, 8]);
  });

  test('the explanation is of the replica that answered', async () => {
    await using cluster = await startUncached({ hedge: true });
    const held = new Map<string, () => void>();
    const work = (name: string) => async (values: readonly number[]) => {
      if (values.includes(1_000)) await new Promise<void>((resolve) => held.set(name, resolve));
      else await setTimeout(5);
    };
    await using _one = startReplica(answering('one ', work('one')), { port: cluster.rpcPort });
    await using _two = startReplica(answering('two ', work('two')), { port: cluster.rpcPort });
    await cluster.replicasConnected(2);
    for (let value = 0; value < 40; value++) await ask(cluster, 'a', value);
    // Two at once, so that neither replica is idle and answers for the other.
    const replicas = await until(async () => {
      const answers = await Promise.all([ask(cluster, 'a', 7), ask(cluster, 'a', 8)]);
      const named = new Map(
        answers.map(({ output, explain }) => [String(output).split(' ')[0], explain.timeline.replica as number]),
      );
      return named.size === 2 && named;
    }, 'both replicas to answer');
    const asking = ask(cluster, 'a', 1_000);
    await until(() => held.size === 2, 'both replicas to work on it');
    const [[first, finishFirst] = ['', () => {}], [, finishSecond] = ['', () => {}]] = [...held];
    finishFirst();
    const { output, explain } = await asking;
    finishSecond();
    expect(output).toBe(`${first} 1000`);
    expect(explain.timeline).toMatchObject({ replica: replicas.get(first), computed: expect.any(Number) });
  });
});
