import { ModelContainer, type Outputs } from '../../runtime/index.ts';
import { type Cluster, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { startReplica } from '../helpers/replica.ts';

quietConsole();

/** Answers each input as the model sees it; fails on an input that begins with 13. */
class Echo extends ModelContainer {
  readonly #prefix: string;
  constructor(prefix = '') {
    super();
    this.#prefix = prefix;
  }
  #print(inputs: readonly ArrayLike<number>[]): Outputs {
    return inputs.map((input) => {
      if (input[0] === 13) throw new RangeError('unlucky');
      return this.#prefix === '' ? Array.from(input) : `${this.#prefix}[${Array.from(input).join(',')}]`;
    });
  }
  override predictBytes(inputs: readonly Uint8Array[]): Outputs {
    return this.#print(inputs);
  }
  override predictInts(inputs: readonly Int32Array[]): Outputs {
    return this.#print(inputs);
  }
  override predictFloats(inputs: readonly Float32Array[]): Outputs {
    return this.#print(inputs);
  }
  override predictDoubles(inputs: readonly Float64Array[]): Outputs {
    return this.#print(inputs);
  }
  override predictStrings(inputs: readonly string[]): Outputs {
    return inputs;
  }
}

/** Runs a test against an application `a` of one input type with one replica of its model. */
async function withEcho(inputType: string, test: (cluster: Cluster) => Promise<void>): Promise<void> {
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'a', model: 'm', inputType });
  const type = inputType as 'doubles';
  await using _replica = startReplica(new Echo(), { port: cluster.rpcPort, inputType: type });
  await cluster.replicasConnected(1);
  await test(cluster);
}

test.each([
  ['bytes', 'AAH/', [0, 1, 255]],
  ['integers', [1, -(2 ** 31), 2 ** 31 - 1], [1, -(2 ** 31), 2 ** 31 - 1]],
  ['floats', [0.5, 2], [0.5, 2]],
  ['doubles', [0.1, 3], [0.1, 3]],
  ['doubles', [], []],
  ['strings', 'Grüße', 'Grüße'],
  ['strings', '{"a":[1]}', '{"a":[1]}'],
  ['strings', '90210', '90210'],
])('%s are taken from JSON: %j', async (type, input, output) => {
  await withEcho(type, async (cluster) => {
    const { status, json, type: contentType } = await cluster.query('/a/predict', { input });
    expect(status).toBe(200);
    expect(contentType).toContain('application/json');
    expect(json).toEqual({ query_id: expect.any(Number), output, default: false });
  });
});

test('a batch is answered in order, a batch of one like one input, an empty one with none', async () => {
  await withEcho('doubles', async (cluster) => {
    const many = await cluster.query('/a/predict', { input_batch: [[1], [2], [3]] });
    expect(many.json.batch_predictions.map(({ output }: { output: number[] }) => output)).toEqual([[1], [2], [3]]);
    const ids = many.json.batch_predictions.map(({ query_id }: { query_id: number }) => query_id);
    expect(new Set(ids).size).toBe(3);
    expect((await cluster.query('/a/predict', { input_batch: [[1]] })).json).toMatchObject({ output: [1], default: false });
    expect((await cluster.query('/a/predict', { input_batch: [] })).text).toBe('{"batch_predictions":[]}');
  });
});

test('a function that fails on one input of a batch gives the default for this one alone', async () => {
  await withEcho('doubles', async (cluster) => {
    const { json } = await cluster.query('/a/predict', { input_batch: [[1], [13], [2]] });
    expect(json.batch_predictions).toMatchObject([
      { output: [1], default: false },
      {
        output: 'default',
        default: true,
        default_reason: 'function_error',
        default_explanation: 'The function failed: RangeError: unlucky',
      },
      { output: [2], default: false },
    ]);
  });
});

test('a version is asked for as text or number, and must exist', async () => {
  await withEcho('doubles', async (cluster) => {
    await cluster.addModel('m', 2);
    await using _second = startReplica(new Echo('second '), { port: cluster.rpcPort, modelVersion: '2' });
    await cluster.replicasConnected(2);
    expect((await cluster.query('/a/predict', { input: [1] })).json.output).toBe('second [1]');
    expect((await cluster.query('/a/predict', { input: [1], version: '1' })).json.output).toEqual([1]);
    expect((await cluster.query('/a/predict', { input: [1], version: 1 })).json.output).toEqual([1]);
    const unknown = await cluster.query('/a/predict', { input: [1], version: '3' });
    expect(unknown).toMatchObject({
      status: 400,
      json: { error: 'Query processing error', cause: expect.stringContaining('3') },
    });
  });
});

test('content types are not looked at, and a trailing slash is allowed', async () => {
  await withEcho('doubles', async (cluster) => {
    const body = '{"input":[1]}';
    for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'nonsense']) {
      expect((await cluster.query('/a/predict', body, { 'content-type': type })).json).toMatchObject({ output: [1] });
    }
    const bytes = await cluster.query('/a/predict/', new TextEncoder().encode(body));
    expect(bytes.json).toMatchObject({ output: [1] });
  });
});

describe('the default output explains itself', () => {
  test('when no model is linked, no replica lives or the answer is late', async () => {
    await using cluster = await startCluster();
    await cluster.admin('add_app', { name: 'lonely', input_type: 'd', default_output: '-1', latency_slo_micros: 1_000 });
    const unlinked = await cluster.query('/lonely/predict', { input: [1] });
    expect(unlinked.json).toMatchObject({ output: -1, default: true, default_reason: 'no_model_linked' });
    expect(unlinked.json.default_explanation).toMatch(/^No connected models found for query/);
    await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles', sloMs: 30 });
    const dead = await cluster.query('/a/predict', { input: [1] });
    expect(dead.json).toMatchObject({ output: 'default', default: true, default_reason: 'no_live_replica' });
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    await using _slow = startReplica(
      async (_type, inputs) => {
        await finished;
        return inputs.map(() => ({ text: '1', failed: false }));
      },
      { port: cluster.rpcPort },
    );
    await cluster.replicasConnected(1);
    const late = await cluster.query('/a/predict', { input: [2] });
    expect(late.json).toMatchObject({ default: true, default_reason: 'slo_computing' });
    expect(late.json.default_explanation).toMatch(/^Failed to retrieve a prediction response within the specified latency SLO/);
    finish();
  });
});

describe('refusals', () => {
  test.each([
    ['integers', [2 ** 31]],
    ['integers', [-(2 ** 31) - 1]],
    ['integers', [1, 1.5]],
    ['integers', ['1']],
    ['doubles', [1, null]],
    ['doubles', '1'],
    ['doubles', 1],
    ['doubles', null],
    ['floats', [[1]]],
    ['strings', ['a']],
    ['strings', 7],
    ['bytes', '*'],
    ['bytes', 'AAAAA'],
    ['bytes', [1]],
  ])('an application of %s refuses the input %j', async (type, input) => {
    await using cluster = await startCluster();
    await cluster.addLinked({ app: 'a', model: 'm', inputType: type });
    const refused = { status: 400, json: { error: 'Query processing error', cause: expect.stringContaining(type) } };
    expect(await cluster.query('/a/predict', { input })).toMatchObject(refused);
    expect(await cluster.query('/a/predict', { input_batch: [input] })).toMatchObject(refused);
  });

  test('say what is wrong with the request, always as JSON', async () => {
    await using cluster = await startCluster({ maxBodyBytes: 1_000 });
    await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
    const answers: [body: unknown, status: number, error: string][] = [
      ['{"input": [1', 400, 'Json error'],
      ['', 400, 'Json error'],
      ['[1]', 400, 'Json error'],
      ['null', 400, 'Json error'],
      [{}, 400, 'Query processing error'],
      [{ input_batch: [1] }, 400, 'Query processing error'],
      [{ input_batch: 'x' }, 400, 'Query processing error'],
      [{ input: [1], version: {} }, 400, 'Query processing error'],
      [{ input: Array(1_000).fill(1) }, 413, 'Query processing error'],
    ];
    for (const [body, status, error] of answers) {
      expect(await cluster.query('/a/predict', body)).toMatchObject({ status, json: { error, cause: expect.any(String) } });
    }
  });

  test('unknown applications and paths are 404', async () => {
    await using cluster = await startCluster();
    const unknown = await cluster.query('/nobody/predict', { input: [1] });
    expect(unknown).toMatchObject({ status: 404, json: { cause: "No application with name 'nobody' exists" } });
    for (const path of ['/', '/a/b/c', '/predict', '/%zz/predict']) {
      expect((await cluster.query(path, {})).json).toMatchObject({ error: expect.any(String), cause: expect.any(String) });
    }
    expect(await cluster.get('query', '/a/predict')).toMatchObject({ status: 404, json: { error: 'Not found' } });
  });
});

test('an application with a long name is found', async () => {
  await using cluster = await startCluster();
  const app = 'a'.repeat(63);
  await cluster.addLinked({ app, model: 'm', inputType: 'doubles' });
  expect(await cluster.query(`/${app}/predict`, { input: [1] })).toMatchObject({ status: 200, json: { default: true } });
});
