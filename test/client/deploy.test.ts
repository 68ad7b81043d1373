import { readdirSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { ClipperConnection } from '../../src/client/connection.ts';
import { createEndpoint, deployPredictFunction } from '../../src/client/deploy.ts';
import type { ProgressEvent } from '../../src/client/progress.ts';
import { eventually, quiet, startedCluster } from '../helpers/started-cluster.ts';

let clipper: ClipperConnection;
beforeAll(async () => {
  clipper = await startedCluster({ cacheBytes: 0 });
});
afterAll(() => clipper.close());

const weights = Float64Array.of(1, 2, 3);
const dot = (xs: Float64Array) => xs.reduce((sum, x, index) => sum + x * (weights[index] ?? 0), 0);

describe('createEndpoint', () => {
  test('makes a closure answer over HTTP', async () => {
    const endpoint = await createEndpoint(clipper, { name: 'dot', inputType: 'doubles', predictOne: dot, ...quiet });
    expect(endpoint).toMatchObject({
      name: 'dot',
      version: '1',
      application: 'dot',
      replicas: 1,
      url: `${clipper.queryUrl}/dot/predict`,
    });
    const response = await fetch(endpoint.url, { method: 'POST', body: '{"input":[1,1,1]}' });
    expect([response.status, await response.json()]).toEqual([200, { query_id: expect.any(Number), output: 6, default: false }]);
    expect(await clipper.predictBatch('dot', [[1], [0, 1], Float64Array.of(0, 0, 1)])).toMatchObject([
      { output: 1 },
      { output: 2 },
      { output: 3 },
    ]);
    expect(await clipper.predictBatch('dot', [])).toEqual([]);
  });

  test('deploys a new version when it is called again, and refuses other settings', async () => {
    const options = { name: 'again', inputType: 'strings', ...quiet } as const;
    await createEndpoint(clipper, { ...options, predict: (texts) => texts.map(() => 'old') });
    const second = await createEndpoint(clipper, { ...options, predict: (texts) => texts.map(() => 'new') });
    expect([second.version, (await clipper.predict('again', 'x')).output]).toEqual(['2', 'new']);
    const other = createEndpoint(clipper, { ...options, sloMicros: 5, predict: (texts) => texts });
    await expect(other).rejects.toMatchObject({ code: 'E_APPLICATION_EXISTS' });
  });

  test('makes one endpoint of two calls at once', async () => {
    const options = {
      name: 'twice',
      inputType: 'doubles',
      predict: (xs: Float64Array[]) => xs.map(() => 'both'),
      ...quiet,
    } as const;
    const endpoints = await Promise.all([createEndpoint(clipper, options), createEndpoint(clipper, options)]);
    expect(endpoints.map(({ version }) => version).sort()).toEqual(['1', '2']);
    expect((await clipper.predict('twice', [1])).output).toBe('both');
  });

  test('says what the first argument must be', async () => {
    const forgotten = createEndpoint({ name: 'x' } as never, undefined as never);
    await expect(forgotten).rejects.toMatchObject({
      code: 'E_INVALID_OPTION',
      message: expect.stringContaining('startClipper()'),
    });
  });

  test.each([
    ['bytes', (inputs: Uint8Array[]) => inputs.map((bytes) => bytes.length), Uint8Array.of(1, 2, 255), 3],
    ['integers', (inputs: Int32Array[]) => inputs.map((ints) => ints[0]), Int32Array.of(-7), -7],
    ['floats', (inputs: Float32Array[]) => inputs.map((floats) => floats[0]), [0.5], 0.5],
    ['doubles', (inputs: Float64Array[]) => inputs.map((doubles) => [...doubles]), [1e300], [1e300]],
    ['strings', (inputs: string[]) => inputs.map((text) => text.toUpperCase()), 'größe', 'GRÖSSE'],
  ] as const)('serves %s', async (inputType, predict, input, output) => {
    await createEndpoint(clipper, { name: `type-${inputType}`, inputType, predict: predict as never, sample: input, ...quiet });
    expect(await clipper.predict(`type-${inputType}`, input)).toEqual({ queryId: expect.any(Number), output, default: false });
  });
});

describe('deployPredictFunction', () => {
  test('keeps older versions that can be asked for and rolled back to', async () => {
    const options = { name: 'versions', inputType: 'doubles', ...quiet } as const;
    await createEndpoint(clipper, { ...options, predict: (xs) => xs.map(() => 'first') });
    const { version } = await deployPredictFunction(clipper, {
      ...options,
      version: '1.0.1',
      predict: (xs) => xs.map(() => 'second'),
    });
    expect([version, (await clipper.predict('versions', [1])).output]).toEqual(['1.0.1', 'second']);
    expect((await clipper.predict('versions', [1], { version: 1 })).output).toBe('first');
    await clipper.setModelVersion('versions', 1);
    expect((await clipper.predict('versions', [1])).output).toBe('first');
    await expect(clipper.predict('versions', [1], { version: 9 })).rejects.toMatchObject({ code: 'E_UNKNOWN_VERSION' });
    const duplicate = deployPredictFunction(clipper, { ...options, version: 1, predict: (xs) => xs });
    await expect(duplicate).rejects.toMatchObject({ code: 'E_MODEL_EXISTS', message: expect.stringContaining('versions') });
  });

  test('runs setup once in each replica, and shares what the functions share', async () => {
    let calls = 0;
    await createEndpoint(clipper, {
      name: 'setup',
      inputType: 'doubles',
      setup: async () => {
        calls += 1;
        return { pid: process.pid };
      },
      predict: (inputs, context) => inputs.map(() => ({ calls, isReplica: context.pid === process.pid })),
      ...quiet,
    });
    expect((await clipper.predict('setup', [1])).output).toEqual({ calls: 1, isReplica: true });
    expect(calls).toBe(0);
  });

  test('warns of each credential once, or refuses it', async () => {
    const config = { apiKey: ['gh', 'p_aB3dE5gH7jK9mN1pQ3sT5vX7zA9cD1fG3iK5'].join('') };
    const events: ProgressEvent[] = [];
    const options = {
      name: 'secretive',
      inputType: 'doubles',
      predict: (xs: Float64Array[]) => xs.map(() => config.apiKey.length),
      onProgress: (event: ProgressEvent) => events.push(event),
    } as const;
    await deployPredictFunction(clipper, options);
    const warnings = events.filter(({ message }) => message.startsWith('warning'));
    expect(warnings).toEqual([
      expect.objectContaining({
        stage: 'capture',
        message: expect.stringContaining('captured "config" → .apiKey: a GitHub token'),
      }),
    ]);
    const refused = deployPredictFunction(clipper, { ...options, secrets: 'refuse' });
    await expect(refused).rejects.toMatchObject({ code: 'E_NOT_CAPTURABLE' });
    events.length = 0;
    await deployPredictFunction(clipper, { ...options, secrets: 'allow' });
    expect(events.map(({ stage }) => stage)).toEqual(['capture', 'bundle', 'start', 'ready']);
  });

  test('tells of its stages in order', async () => {
    const events: ProgressEvent[] = [];
    await deployPredictFunction(clipper, {
      name: 'stages',
      inputType: 'doubles',
      predict: (xs) => xs,
      onProgress: (event) => events.push(event),
    });
    expect(events.map(({ stage }) => stage)).toEqual(['capture', 'bundle', 'start', 'ready']);
    expect(events.map(({ elapsedMs }) => elapsedMs)).toEqual(events.map(({ elapsedMs }) => elapsedMs).sort((a, b) => a - b));
  });
});

describe('a deploy that fails', () => {
  const options = { name: 'fails', inputType: 'doubles', ...quiet } as const;
  beforeAll(() => createEndpoint(clipper, { ...options, predict: (xs) => xs.map(() => 'good') }));
  afterEach(async () => {
    expect((await clipper.predict('fails', [1])).output).toBe('good');
    expect((await clipper.getAllModels()).filter(({ name }) => name === 'fails')).toHaveLength(1);
    await eventually(async () => (await clipper.getNumReplicas('fails')) === 1);
    expect((await clipper.getAllModelReplicas()).filter(({ name }) => name === 'fails')).toHaveLength(1);
  });

  test('on its sample gives the function’s error', async () => {
    const predict = (inputs: Float64Array[]) => inputs.map((xs) => (xs[9] as unknown as number[]).length);
    await expect(deployPredictFunction(clipper, { ...options, predict, sample: [1] })).rejects.toMatchObject({
      code: 'E_SAMPLE_FAILED',
      message: expect.stringMatching(
        /TypeError: Cannot read properties of undefined \(reading 'length'\).*deploy\.test\.ts:160(?!.*main\.js)/s,
      ),
    });
  });

  test('in setup gives the replica’s log', async () => {
    const setup = () => {
      throw new RangeError('no such model file');
    };
    await expect(deployPredictFunction(clipper, { ...options, predict: (xs) => xs, setup })).rejects.toMatchObject({
      code: 'E_REPLICA_EXITED',
      message: expect.stringContaining('RangeError: no such model file'),
    });
  });

  test('for it is cancelled leaves nothing', async () => {
    const setup = () => setTimeout(60_000);
    const deploy = deployPredictFunction(clipper, { ...options, predict: (xs) => xs, setup, signal: AbortSignal.timeout(300) });
    await expect(deploy).rejects.toMatchObject({ code: 'E_CANCELLED' });
  });

  test.each([
    ['an unknown option', { predict: (xs: unknown) => xs, replica: 2 }, 'E_INVALID_OPTION', /replica/],
    ['no function', {}, 'E_INVALID_OPTION', /predict.*neither/],
    ['two functions', { predict: () => [], predictOne: () => 1 }, 'E_INVALID_OPTION', /both/],
    ['something that is no function', { predict: 'x => x' }, 'E_INVALID_OPTION', /predict: must be a function/],
    ['a bad name', { predict: () => [], name: 'Bad_Name' }, 'E_INVALID_OPTION', /Bad_Name/],
    ['a bad version', { predict: () => [], version: 'v:1' }, 'E_INVALID_OPTION', /v:1/],
    ['an unknown input type', { predict: () => [], inputType: 'tensors' }, 'E_INVALID_OPTION', /inputType.*doubles/],
    ['a sample of another type', { predict: () => [], sample: 'text' }, 'E_INVALID_INPUT', /doubles.*"text"/],
    ['no replicas', { predict: () => [], replicas: 0 }, 'E_INVALID_OPTION', /replicas/],
    ['too many replicas', { predict: () => [], replicas: 1e9 }, 'E_INVALID_OPTION', /replicas.*1000/],
    ['a missing name', { predict: () => [], name: undefined }, 'E_INVALID_OPTION', /name: is missing, expected string/],
    [
      'a type that the application does not take',
      { predict: () => [], inputType: 'strings' },
      'E_INPUT_TYPE_MISMATCH',
      /strings.*doubles/,
    ],
  ])('for %s says so', async (_what, wrong, code, message) => {
    await expect(deployPredictFunction(clipper, { ...options, ...wrong } as never)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  test('leaves no drafts of bundles', () => {
    expect(readdirSync(clipper.cluster?.storeDir ?? '').filter((name) => !/^[0-9a-f]{64}$/.test(name))).toEqual([]);
  });
});
