import type { Answerer } from '../../runtime/model-container.ts';
import { type InputType, parseInputType } from '../../src/protocol/input-types.ts';
import { packageVersion } from '../../src/util/package-files.ts';
import { type Cluster, type Reply, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { startReplica } from '../helpers/replica.ts';

quietConsole();

/** Answers each input with the list of its elements; with the text itself for strings. */
const echo: Answerer = async (_type, inputs) =>
  (inputs as readonly (string | ArrayLike<number>)[]).map((input) => ({
    text: typeof input === 'string' ? input : JSON.stringify(Array.from(input)),
    failed: false,
  }));

const sum: Answerer = async (_type, inputs) =>
  (inputs as readonly Float64Array[]).map((input) => ({ text: String(input.reduce((all, x) => all + x, 0)), failed: false }));

/** Runs a test against an application `a` of one input type with one replica of its model `m`, in version 1. */
async function withReplica(type: InputType, answer: Answerer, test: (cluster: Cluster) => Promise<void>): Promise<void> {
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'a', model: 'm', inputType: type });
  await using _replica = startReplica(answer, { port: cluster.rpcPort, inputType: type });
  await cluster.replicasConnected(1);
  await test(cluster);
}

const tensor = (datatype: string, shape: number[], data: unknown): object => ({ name: 'x', datatype, shape, data });
const infer = (cluster: Cluster, input: object, rest: object = {}): Promise<Reply> =>
  cluster.query('/v2/models/a/infer', { inputs: [input], ...rest });

/** Asks with the tensor's data behind the JSON, and for the output likewise. */
async function inferBinary(cluster: Cluster, input: object, data: Uint8Array, pad = '') {
  const head = { ...input, parameters: { binary_data_size: data.byteLength } };
  const json = Buffer.from(JSON.stringify({ inputs: [head], parameters: { binary_data_output: true } }) + pad);
  const response = await fetch(`http://127.0.0.1:${cluster.queryPort}/v2/models/a/infer`, {
    method: 'POST',
    body: Buffer.concat([json, data]),
    headers: { 'Inference-Header-Content-Length': String(json.byteLength), 'Content-Type': 'application/octet-stream' },
  });
  const body = Buffer.from(await response.arrayBuffer());
  const length = Number(response.headers.get('inference-header-content-length') ?? body.byteLength);
  return { status: response.status, json: JSON.parse(body.subarray(0, length).toString()), data: body.subarray(length) };
}

const lengthThen = (text: string): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(Buffer.byteLength(text));
  return Buffer.concat([length, Buffer.from(text)]);
};

describe('server and models', () => {
  test('are described, and are ready when a replica is connected', async () => {
    await using cluster = await startCluster();
    const get = async (path: string) => {
      const { status, json } = await cluster.get('query', path);
      return [status, json];
    };
    expect(await get('/v2')).toEqual([
      200,
      { name: 'clipper-ts', version: packageVersion(), extensions: ['binary_tensor_data'] },
    ]);
    expect(await get('/v2/health/live')).toEqual([200, { live: true }]);
    expect(await get('/v2/health/ready')).toEqual([200, expect.objectContaining({ ready: true })]);
    await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
    expect(await get('/v2/models/a')).toEqual([
      200,
      {
        name: 'a',
        versions: ['1'],
        platform: 'clipper_container',
        inputs: [{ name: 'input', datatype: 'FP64', shape: [-1, -1] }],
        outputs: [{ name: 'output', datatype: 'BYTES', shape: [-1] }],
      },
    ]);
    expect(await get('/v2/models/a/ready')).toEqual([503, { name: 'a', ready: false }]);
    await using _replica = startReplica(echo, { port: cluster.rpcPort, inputType: 'doubles' });
    await cluster.replicasConnected(1);
    await cluster.addModel('m', '2');
    expect(await get('/v2/models/a/ready')).toEqual([503, { name: 'a', ready: false }]);
    expect(await get('/v2/models/a/versions/1/ready')).toEqual([200, { name: 'a', ready: true }]);
    expect(await get('/v2/models/a/versions/1')).toMatchObject([200, { versions: ['1', '2'] }]);
    for (const path of ['/v2/models/b', '/v2/models/b/ready', '/v2/models/a/versions/3', '/v2/models/a/versions/3/ready']) {
      expect(await get(path)).toEqual([404, { error: expect.stringMatching(/'b'|'3'/) }]);
    }
  });
});

test.each<[InputType, string, number[], unknown, unknown[]]>([
  ['doubles', 'FP64', [2, 2], [0.1, 2, 3, 4], [0.1, 2, 3, 4]],
  [
    'doubles',
    'FP64',
    [2, 2],
    [
      [0.1, 2],
      [3, 4],
    ],
    [0.1, 2, 3, 4],
  ],
  [
    'doubles',
    'FP64',
    [1, 2, 2],
    [
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [1, 2, 3, 4],
  ],
  ['doubles', 'FP64', [3], [1, 2, 3], [1, 2, 3]],
  ['doubles', 'FP64', [0, 3], [], []],
  ['doubles', 'INT64', [1, 2], [-(2 ** 53) + 1, 7], [-(2 ** 53) + 1, 7]],
  ['doubles', 'FP32', [1, 1], [0.1], [Math.fround(0.1)]],
  ['doubles', 'BOOL', [1, 2], [true, false], [1, 0]],
  ['floats', 'FP32', [1, 2], [0.1, 2], [Math.fround(0.1), 2]],
  ['floats', 'FP64', [1, 1], [0.5], [0.5]],
  ['integers', 'INT32', [1, 2], [-(2 ** 31), 2 ** 31 - 1], [-(2 ** 31), 2 ** 31 - 1]],
  ['integers', 'FP64', [1, 1], [3], [3]],
  ['bytes', 'UINT8', [2, 1], [0, 255], [0, 255]],
  ['bytes', 'INT8', [1, 2], [-1, 127], [255, 127]],
  ['bytes', 'BYTES', [2], ['a', 'b'], [97, 98]],
])('an application of %s takes %s of shape %j: %j', async (type, datatype, shape, data, expected) => {
  await withReplica(type, echo, async (cluster) => {
    const { status, json } = await infer(cluster, tensor(datatype, shape, data));
    expect([status, json.outputs?.[0]?.data ?? json]).toEqual([200, expected]);
  });
});

describe('outputs', () => {
  test('that are numbers are FP64, lists of numbers rows, and all else texts', async () => {
    await withReplica('strings', echo, async (cluster) => {
      const output = async (...texts: string[]) => (await infer(cluster, tensor('BYTES', [texts.length], texts))).json.outputs;
      const as = (datatype: string, shape: number[], data: unknown[]) => [{ name: 'output', datatype, shape, data }];
      expect(await output('1', '-2.5e3')).toEqual(as('FP64', [2], [1, -2500]));
      expect(await output('[1,2]', '[3,4]')).toEqual(as('FP64', [2, 2], [1, 2, 3, 4]));
      expect(await output('[]')).toEqual(as('FP64', [1, 0], []));
      for (const texts of [['cat', 'Grüße'], ['1', 'cat'], ['1', '[1]'], ['[1]', '[1,2]'], ['1e999'], ['[[1]]'], ['"1"'], ['']]) {
        expect(await output(...texts)).toEqual(as('BYTES', [texts.length], texts));
      }
    });
  });

  test('carry the id, the version and which of them are default outputs', async () => {
    const failsOnZero: Answerer = async (_type, inputs) =>
      (inputs as readonly Float64Array[]).map(([x]) => ({ text: x === 0 ? '["Error","zero"]' : '1', failed: x === 0 }));
    await withReplica('doubles', failsOnZero, async (cluster) => {
      const one = await infer(cluster, tensor('FP64', [1, 1], [5]), { id: 'request 7', outputs: [{ name: 'output' }] });
      expect(one.json).toMatchObject({ model_name: 'a', model_version: '1', id: 'request 7' });
      expect(one.json.parameters).toEqual({ query_id: expect.any(Number), default: false });
      const { json } = await infer(cluster, tensor('FP64', [2, 1], [0, 5]));
      expect(json.id).toBeUndefined();
      expect(json.parameters).toMatchObject({
        query_id: [expect.any(Number), expect.any(Number)],
        default: [true, false],
        default_reason: ['function_error', null],
        default_explanation: [expect.stringContaining('The function failed'), null],
      });
      expect(json.outputs[0]).toMatchObject({ datatype: 'BYTES', data: ['"default"', '1'] });
      expect((await infer(cluster, tensor('FP64', [1, 1], [0]))).json.parameters).toMatchObject({
        default: true,
        default_reason: 'function_error',
      });
    });
  });

  test('come from the version that is asked for', async () => {
    await withReplica('doubles', sum, async (cluster) => {
      await cluster.addModel('m', '2');
      const body = { inputs: [tensor('FP64', [1, 2], [1, 2])] };
      const one = await cluster.query('/v2/models/a/versions/1/infer', body);
      expect(one.json).toMatchObject({ model_version: '1', parameters: { default: false }, outputs: [{ data: [3] }] });
      const current = await cluster.query('/v2/models/a/infer', body);
      expect(current.json).toMatchObject({ model_version: '2', parameters: { default_reason: 'no_live_replica' } });
      expect(await cluster.query('/v2/models/a/versions/9/infer', body)).toMatchObject({
        status: 404,
        json: { error: expect.stringContaining("'9'") },
      });
    });
  });
});

describe('binary tensor data', () => {
  test.each([0, 1, 2, 3, 4, 5, 6, 7])('goes both ways, wherever in the body it begins (%i)', async (padding) => {
    await withReplica('doubles', echo, async (cluster) => {
      const values = Float64Array.of(0.1, Number.NaN, -0, 4);
      const own = await inferBinary(
        cluster,
        tensor('FP64', [4, 1], undefined),
        new Uint8Array(values.buffer),
        ' '.repeat(padding),
      );
      expect(own.json.outputs[0]).toEqual({
        name: 'output',
        datatype: 'BYTES',
        shape: [4],
        parameters: { binary_data_size: 33 },
      });
      expect(own.data).toEqual(Buffer.concat(['[0.1]', '[null]', '[0]', '[4]'].map(lengthThen)));
      const other = BigInt64Array.of(-5n, 2n ** 60n);
      const converted = await inferBinary(
        cluster,
        tensor('INT64', [1, 2], undefined),
        new Uint8Array(other.buffer),
        ' '.repeat(padding),
      );
      expect(converted.json.outputs[0]).toMatchObject({ datatype: 'FP64', shape: [1, 2], parameters: { binary_data_size: 16 } });
      expect([converted.data.readDoubleLE(0), converted.data.readDoubleLE(8)]).toEqual([-5, 2 ** 60]);
    });
  });

  test('holds texts behind their lengths', async () => {
    await withReplica('strings', echo, async (cluster) => {
      const texts = ['', 'Grüße', '1'];
      const { json, data } = await inferBinary(cluster, tensor('BYTES', [3, 1], undefined), Buffer.concat(texts.map(lengthThen)));
      expect(json.outputs[0]).toMatchObject({ datatype: 'BYTES', shape: [3] });
      expect(data).toEqual(Buffer.concat(texts.map(lengthThen)));
    });
  });

  test('of one output may be asked for, or not, whatever the request says', async () => {
    await withReplica('doubles', sum, async (cluster) => {
      const ask = (request: boolean, output: boolean) =>
        infer(cluster, tensor('FP64', [1, 1], [5]), {
          parameters: { binary_data_output: request, priority: 1 },
          outputs: [{ name: 'output', parameters: { binary_data: output } }],
        });
      expect((await ask(true, false)).json.outputs[0].data).toEqual([5]);
      expect((await ask(false, true)).type).toBe('application/octet-stream');
    });
  });

  test.each<[InputType, string, number[], Uint8Array, string]>([
    ['doubles', 'FP64', [1, 2], new Uint8Array(15), 'has 16 bytes, got 15'],
    ['doubles', 'INT64', [1, 1], new Uint8Array(BigInt64Array.of(2n ** 53n + 1n).buffer), 'is not a valid FP64'],
    ['integers', 'FP64', [1, 1], new Uint8Array(Float64Array.of(Number.NaN).buffer), 'NaN at index 0 is not a valid INT32'],
    ['strings', 'BYTES', [1], Buffer.from([1, 0, 0]), 'ends behind'],
    ['strings', 'BYTES', [1], Buffer.from([2, 0, 0, 0, 65]), 'ends behind'],
    ['strings', 'BYTES', [2], lengthThen('one'), 'has 2 elements, got 1'],
    ['strings', 'BYTES', [1], Buffer.from([1, 0, 0, 0, 255]), 'UTF-8'],
  ])('is refused where it does not fit: %s, %s, %j', async (type, datatype, shape, data, why) => {
    await using cluster = await startCluster();
    await cluster.addLinked({ app: 'a', model: 'm', inputType: type });
    const { status, json } = await inferBinary(cluster, tensor(datatype, shape, undefined), data);
    expect([status, json]).toEqual([400, { error: expect.stringContaining(why) }]);
  });
});

describe('what is not as the protocol says is refused', () => {
  test.each<[string, string, number[], unknown, string]>([
    ['doubles', 'FP64', [2, 2], [1, 2, 3], 'has 4 elements, got 3'],
    ['doubles', 'FP64', [2, 2], [[1, 2], [3]], 'has 2 elements, got 1'],
    ['doubles', 'FP64', [2, 2], [[1, 2]], 'has 2 rows, got 1'],
    ['doubles', 'FP64', [2, 2], [[1, 2], 3], 'flat or nested, got 3'],
    ['doubles', 'FP64', [2], [[1], [2]], 'Expected data of FP64, got [ 1 ] at index 0'],
    ['doubles', 'FP64', [1, 1], ['1'], 'Expected data of FP64, got "1" at index 0'],
    ['doubles', 'FP64', [1, 1], [null], 'got null'],
    ['doubles', 'FP64', [10_001, 0], [], '10000 inputs at most, got 10001'],
    ['doubles', 'FP64', [-1, 1], [1], 'shape.0'],
    ['doubles', 'FP64', [], [1], 'shape'],
    ['doubles', 'FP16', [1, 1], [1], 'datatype'],
    ['doubles', 'INT64', [1, 1], [2 ** 53], 'Expected data of INT64'],
    ['doubles', 'BYTES', [1], ['1'], 'takes numbers, got the datatype BYTES'],
    ['floats', 'FP64', [1, 2], [1, 0.1], 'The FP64 value 0.1 at index 1 is not a valid FP32'],
    ['floats', 'FP32', [1, 1], [1e300], 'Expected data of FP32'],
    ['integers', 'INT64', [1, 1], [2 ** 31], 'is not a valid INT32'],
    ['integers', 'INT32', [1, 1], [1.5], 'Expected data of INT32, got 1.5'],
    ['bytes', 'INT32', [1, 1], [256], 'is not a valid UINT8'],
    ['strings', 'FP64', [1], [1], 'takes the datatype BYTES, got FP64'],
    ['strings', 'BYTES', [1, 2], ['a', 'b'], 'shape [n] or [n,1], got [1,2]'],
    ['strings', 'BYTES', [1], [1], 'strings, got 1'],
  ])('%s: %s of shape %j with the data %j', async (type, datatype, shape, data, why) => {
    await using cluster = await startCluster();
    await cluster.addLinked({ app: 'a', model: 'm', inputType: parseInputType(type) });
    const { status, json } = await infer(cluster, tensor(datatype, shape, data));
    expect([status, json]).toEqual([400, { error: expect.stringContaining(why) }]);
  });

  test('requests without one whole tensor, of unknown outputs, for unknown models', async () => {
    await using cluster = await startCluster({ maxBodyBytes: 2_000 });
    await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
    const one = tensor('FP64', [1, 1], [1]);
    const nested = `${'['.repeat(900)}${']'.repeat(900)}`;
    const answers: [body: unknown, headers: Record<string, string>, status: number, why: string][] = [
      ['{"inputs"', {}, 400, 'Error parsing JSON'],
      [{}, {}, 400, 'inputs'],
      [{ inputs: [one, one] }, {}, 400, 'inputs'],
      [{ inputs: [one], outputs: [{ name: 'other' }] }, {}, 400, 'outputs.0.name'],
      [{ inputs: [tensor('FP64', [1, 1], undefined)] }, {}, 400, 'either an array as "data", or "binary_data_size"'],
      [{ inputs: [{ ...one, parameters: { binary_data_size: 8 } }] }, {}, 400, 'either an array'],
      [{ inputs: [{ ...one, data: undefined, parameters: { binary_data_size: 8 } }] }, {}, 400, '0 bytes are behind the JSON'],
      [{ inputs: [one] }, { 'Inference-Header-Content-Length': '9999' }, 400, 'Inference-Header-Content-Length'],
      [{ inputs: [one] }, { 'Inference-Header-Content-Length': 'all' }, 400, 'Inference-Header-Content-Length'],
      [`{"inputs":[{"name":"x","datatype":"FP64","shape":[1,1],"data":${nested}}]}`, {}, 400, 'Expected data of FP64'],
      [{ inputs: [tensor('FP64', [1, 1_000], Array(1_000).fill(1))] }, {}, 413, '2000 bytes'],
    ];
    for (const [body, headers, status, why] of answers) {
      const reply = await cluster.query('/v2/models/a/infer', body, headers);
      expect([reply.status, reply.json]).toEqual([status, { error: expect.stringContaining(why) }]);
    }
    expect(await cluster.query('/v2/models/b/infer', { inputs: [one] })).toMatchObject({
      status: 404,
      json: { error: "No application with name 'b' exists" },
    });
  });
});
