import { ModelContainer, type Outputs } from '../../runtime/index.ts';
import { answering, ask } from '../helpers/asking.ts';
import { type Cluster, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { startReplica } from '../helpers/replica.ts';

quietConsole();

/** Fails on negative numbers. */
class Roots extends ModelContainer {
  override predictDoubles(inputs: readonly Float64Array[]): Outputs {
    return inputs.map(([value = 0]) => {
      if (value < 0) throw new RangeError(`no root of ${value}`);
      return Math.sqrt(value);
    });
  }
}

interface Failure {
  readonly query_id: number;
  readonly application: string;
}
const failuresOf = async (cluster: Cluster, app: string): Promise<readonly Failure[]> =>
  (await cluster.get('query', `/${app}/queries`)).json;

describe('a batch with a culprit', () => {
  test('answers its neighbours, and explains it with the stack', async () => {
    await using cluster = await startCluster();
    await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
    await using _replica = startReplica(new Roots(), { port: cluster.rpcPort });
    await cluster.replicasConnected(1);
    const { json } = await cluster.query('/a/predict?explain=1', { input_batch: [[4], [-1], [9]] });
    const [four, culprit, nine] = json.batch_predictions;
    expect([four, nine]).toMatchObject([
      { output: 2, default: false },
      { output: 3, default: false },
    ]);
    const error = { name: 'RangeError', message: 'no root of -1', stack: expect.stringContaining('isolation.test.ts') };
    const timeline = { received: 0, batched: expect.any(Number), answered: expect.any(Number), batch_size: expect.any(Number) };
    expect(culprit).toMatchObject({
      output: 'default',
      default: true,
      default_reason: 'function_error',
      default_explanation: 'The function failed: RangeError: no root of -1',
      explain: { model: 'm:1', error, timeline },
    });
    expect(four.explain.error).toBeUndefined();
    // Later too it is known what became of it, and of nothing else.
    expect(await failuresOf(cluster, 'a')).toMatchObject([{ query_id: culprit.query_id, application: 'a', error }]);
    const { status, json: found } = await cluster.get('query', `/a/queries/${culprit.query_id}`);
    expect([status, found]).toEqual([200, expect.objectContaining({ default_reason: 'function_error', model: 'm:1' })]);
    expect((await cluster.get('query', `/a/queries/${four.query_id}`)).status).toBe(404);
  });

  test('is told without an explanation where none is asked for', async () => {
    await using cluster = await startCluster();
    await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
    await using _replica = startReplica(new Roots(), { port: cluster.rpcPort });
    await cluster.replicasConnected(1);
    for (const parameters of ['', '?explain=0', '?explain=2', '?explain']) {
      const { status, json } = await cluster.query(`/a/predict${parameters}`, { input: [-1] });
      expect([status, json.default_reason, json.explain]).toEqual([200, 'function_error', undefined]);
    }
  });
});

describe('what became of a query', () => {
  test('is told for its own application only, and for ids that were given', async () => {
    await using cluster = await startCluster();
    for (const app of ['a', 'b']) {
      const settings = { input_type: 'doubles', default_output: '0', latency_slo_micros: 1_000_000 };
      await cluster.admin('add_app', { name: app, ...settings });
    }
    const [ofA, ofB] = [await ask(cluster, 'a', 1), await ask(cluster, 'b', 1)];
    expect((await failuresOf(cluster, 'a')).map(({ query_id }) => query_id)).toEqual([ofA.queryId]);
    expect((await failuresOf(cluster, 'b')).map(({ query_id }) => query_id)).toEqual([ofB.queryId]);
    expect((await cluster.get('query', `/b/queries/${ofB.queryId}`)).status).toBe(200);
    for (const id of [`${ofB.queryId}`, '1000', 'NaN', '-1', '1e309', 'x'.repeat(253)])
      expect(await cluster.get('query', `/a/queries/${id}`)).toMatchObject({ status: 404, json: { code: 'E_UNKNOWN_QUERY' } });
    expect(await cluster.get('query', '/c/queries')).toMatchObject({ status: 404, json: { code: 'E_UNKNOWN_APPLICATION' } });
  });

  test('is kept for the latest thousand, and of long errors their beginning', async () => {
    await using cluster = await startCluster();
    await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
    const work = async (): Promise<void> => {
      throw new Error('x'.repeat(20_000));
    };
    await using _replica = startReplica(answering('', work), { port: cluster.rpcPort });
    await cluster.replicasConnected(1);
    const first = await ask(cluster, 'a', -1);
    await ask(cluster, 'a', -2);
    const { text } = await cluster.get('query', '/a/queries');
    expect(text.length).toBeLessThan(60_000);
    const inputs = Array.from({ length: 999 }, (_, value) => [value]);
    await cluster.query('/a/predict', { input_batch: inputs });
    const ids = (await failuresOf(cluster, 'a')).map(({ query_id }) => query_id);
    expect(ids).toEqual(Array.from({ length: 1_000 }, (_, count) => first.queryId + 1_000 - count));
  });
});
