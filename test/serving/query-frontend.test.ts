import { servingDefaults } from '../../src/contract/serving.ts';
import { MemoryStore } from '../../src/control/memory-store.ts';
import { Registry } from '../../src/control/registry.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import type { Output } from '../../src/protocol/content.ts';
import { encodeInput, type InputType } from '../../src/protocol/input-types.ts';
import { RpcServer } from '../../src/rpc/rpc-server.ts';
import type { Answer } from '../../src/serving/query.ts';
import { QueryFrontend } from '../../src/serving/query-frontend.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { RawContainer } from '../helpers/raw-container.ts';
import { startReplica } from '../helpers/replica.ts';
import { silentLog } from '../helpers/silent-log.ts';
import { startSteeredReplica } from '../helpers/steered-replica.ts';
import { until } from '../helpers/until.ts';

quietConsole();

interface Serving extends AsyncDisposable {
  readonly registry: Registry;
  readonly port: number;
  ask(value: number, options?: { readonly version?: string; readonly sloMs?: number }): Promise<Answer>;
  addModel(version: string): Promise<void>;
  replicas(count: number): Promise<void>;
}

/** A query frontend with an RPC server, and the application `a` linked to version 1 of model `m`. */
async function startServing(inputType: InputType = 'doubles'): Promise<Serving> {
  const registry = await Registry.open(new MemoryStore());
  const frontend = new QueryFrontend({
    ...{ registry, metrics: new Metrics(), cacheBytes: 100_000, onFallback: () => {} },
    keeper: { whyAbsent: () => undefined, wake: () => false, isAsleep: () => false },
  });
  const rpc = await RpcServer.listen({
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    onConnected: (replica) => frontend.replicaConnected(replica),
    onLost: (replica) => frontend.replicaGone(replica),
  });
  const addModel = async (version: string): Promise<void> => {
    const rest = { labels: [], containerName: '', modelDataPath: '', ...servingDefaults, batchSize: 1 };
    await registry.addModel({ name: 'm', version, inputType, ...rest });
    await registry.setCurrentVersion('m', version);
  };
  const application = { name: 'a', inputType, defaultOutput: 'default', latencySloMicros: 10_000_000 };
  await registry.addApplication(application);
  await addModel('1');
  await registry.linkModel('a', 'm');
  return {
    registry,
    port: rpc.port,
    addModel,
    ask: async (value, { version, sloMs = 10_000 } = {}) => {
      const asking = { ...application, latencySloMicros: sloMs * 1_000 };
      const [answer] = await frontend.query(asking, [encodeInput(Float64Array.of(value))], { version });
      return answer as Answer;
    },
    replicas: async (count) => void (await until(() => rpc.replicas.length === count, `${count} replicas`)),
    [Symbol.asyncDispose]: async () => {
      await rpc.close();
    },
  };
}

/** Answers with a prefix and counts how often it was asked; negative numbers fail. */
function counting(prefix: string) {
  const state = { calls: 0 };
  const answer = async (_type: InputType, inputs: readonly unknown[]): Promise<Output[]> => {
    state.calls++;
    return inputs.map((input) => {
      const [value = 0] = input as Float64Array;
      if (value < 0) return { text: JSON.stringify({ name: 'RangeError', message: 'negative' }), failed: true };
      return { text: `${prefix}${value}`, failed: false };
    });
  };
  return { state, answer };
}

describe('the cache', () => {
  test('answers what was asked before without asking a replica', async () => {
    await using serving = await startServing();
    const { state, answer } = counting('v');
    await using _replica = startReplica(answer, { port: serving.port });
    await serving.replicas(1);
    expect(await serving.ask(1)).toMatchObject({ output: 'v1', fallback: undefined });
    expect(await serving.ask(1)).toMatchObject({ output: 'v1', fallback: undefined });
    expect(await serving.ask(2)).toMatchObject({ output: 'v2' });
    expect(state.calls).toBe(2);
  });

  test('never holds a failure', async () => {
    await using serving = await startServing();
    const { state, answer } = counting('v');
    await using _replica = startReplica(answer, { port: serving.port });
    await serving.replicas(1);
    const failure = {
      output: 'default',
      fallback: { reason: 'function_error', explanation: 'The function failed: RangeError: negative' },
    };
    expect(await serving.ask(-1)).toMatchObject(failure);
    expect(await serving.ask(-1)).toMatchObject(failure);
    expect(state.calls).toBe(2);
  });

  test('never answers for a version that was deleted and added again', async () => {
    await using serving = await startServing();
    {
      await using _old = startReplica(counting('old').answer, { port: serving.port });
      await serving.replicas(1);
      expect((await serving.ask(1)).output).toBe('old1');
    }
    await serving.replicas(0);
    await serving.registry.deleteModel('m', '1');
    await serving.addModel('1');
    expect(await serving.ask(1)).toMatchObject({ output: 'default', fallback: { reason: 'no_live_replica' } });
    await using _new = startReplica(counting('new').answer, { port: serving.port });
    await serving.replicas(1);
    expect((await serving.ask(1)).output).toBe('new1');
  });

  test('keeps versions apart', async () => {
    await using serving = await startServing();
    await serving.addModel('2');
    await using _one = startReplica(counting('one').answer, { port: serving.port });
    await using _two = startReplica(counting('two').answer, { port: serving.port, modelVersion: '2' });
    await serving.replicas(2);
    expect((await serving.ask(1)).output).toBe('two1');
    expect((await serving.ask(1, { version: '1' })).output).toBe('one1');
    expect((await serving.ask(1)).output).toBe('two1');
  });

  test('takes a result that came too late for its query', async () => {
    await using serving = await startServing();
    await using replica = startSteeredReplica({ port: serving.port });
    await serving.replicas(1);
    expect(await serving.ask(1, { sloMs: 20 })).toMatchObject({ output: 'default', fallback: { reason: 'slo_computing' } });
    replica.batches[0]?.answer('late');
    await until(async () => (await serving.ask(1, { sloMs: 20 })).output === 'late1', 'the late result');
    expect(replica.batches.length).toBeLessThanOrEqual(2);
  });
});

describe('without an answer in time the default output says why', () => {
  const tooLate = 'Failed to retrieve a prediction response within the specified latency SLO: still';

  test('queued or computing', async () => {
    await using serving = await startServing();
    await using _replica = startSteeredReplica({ port: serving.port, packedExtension: false });
    await serving.replicas(1);
    const [first, second] = await Promise.all([serving.ask(1, { sloMs: 30 }), serving.ask(2, { sloMs: 30 })]);
    expect(first.fallback).toEqual({ reason: 'slo_computing', explanation: expect.stringMatching(`^${tooLate} computing`) });
    expect(second.fallback).toEqual({ reason: 'slo_queued', explanation: expect.stringMatching(`^${tooLate} queued`) });
  });

  test('a replica that takes inputs of another type is not given them', async () => {
    await using serving = await startServing();
    using container = new RawContainer(serving.port);
    await container.announce({ inputType: '1' });
    await serving.replicas(1);
    const { fallback } = await serving.ask(1);
    expect(fallback).toEqual({
      reason: 'no_live_replica',
      explanation: 'No connected models found for query: the linked model has no live replica for doubles',
    });
  });

  test('a current version that was deleted serves no more', async () => {
    await using serving = await startServing();
    await using _replica = startReplica(counting('v').answer, { port: serving.port });
    await serving.replicas(1);
    await serving.registry.deleteModel('m', '1');
    expect(await serving.ask(1)).toMatchObject({ output: 'default', fallback: { reason: 'no_model_linked' } });
    await expect(serving.ask(1, { version: '1' })).rejects.toMatchObject({ code: 'E_UNKNOWN_VERSION' });
  });
});

test('a replica lost with a query in flight leaves it to another', async () => {
  await using serving = await startServing();
  const container = new RawContainer(serving.port);
  await container.announce();
  await serving.replicas(1);
  const answer = serving.ask(1);
  await container.receiveRequest();
  await using _heir = startReplica(counting('heir').answer, { port: serving.port });
  await serving.replicas(2);
  container[Symbol.dispose]();
  expect(await answer).toMatchObject({ output: 'heir1', fallback: undefined });
});
