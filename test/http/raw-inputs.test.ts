import type { Answerer } from '../../runtime/model-container.ts';
import { encodeInputBatch } from '../../src/protocol/input-batch.ts';
import { encodeInput, type InputType } from '../../src/protocol/input-types.ts';
import { type Cluster, type Reply, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { startReplica } from '../helpers/replica.ts';

quietConsole();

/** Answers each input as it is seen in the replica. */
const echo =
  (version: string): Answerer =>
  async (type, inputs) =>
    inputs.map((input) => ({
      text: JSON.stringify([version, type, typeof input === 'string' ? input : [...input]]),
      failed: false,
    }));

async function withEcho(inputType: InputType, test: (cluster: Cluster) => Promise<void>): Promise<void> {
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'a', model: 'm', inputType });
  await using _replica = startReplica(echo('1'), { port: cluster.rpcPort, inputType });
  await cluster.replicasConnected(1);
  await test(cluster);
}

const one = { 'content-type': 'application/octet-stream' };
const several = { 'content-type': 'application/vnd.clipper.inputs' };
const outputs = ({ json }: Reply): unknown[] => json.batch_predictions.map(({ output }: { output: unknown }) => output);

test.each([
  ['bytes', Uint8Array.of(0, 255)],
  ['integers', Int32Array.of(-1, 2 ** 31 - 1)],
  ['floats', Float32Array.of(0.5)],
  ['doubles', Float64Array.of(0.1, 3)],
  ['strings', 'Grüße'],
] as const)('%s are taken as raw bytes, one or several', async (type, input) => {
  await withEcho(type, async (cluster) => {
    const seen = ['1', type, typeof input === 'string' ? input : [...input]];
    const bytes = encodeInput(input);
    expect((await cluster.query('/a/predict', bytes, one)).json).toEqual({
      query_id: expect.any(Number),
      output: seen,
      default: false,
    });
    const none = ['1', type, type === 'strings' ? '' : []];
    const batch = encodeInputBatch([bytes, new Uint8Array(0), bytes]);
    expect(outputs(await cluster.query('/a/predict', batch, several))).toEqual([seen, none, seen]);
    expect((await cluster.query('/a/predict', encodeInputBatch([bytes]), several)).json).toMatchObject({ output: seen });
    expect((await cluster.query('/a/predict', new Uint8Array(0), one)).json).toMatchObject({ output: none });
    expect((await cluster.query('/a/predict', encodeInputBatch([]), several)).text).toBe('{"batch_predictions":[]}');
  });
});

test('the URL names a version, and the content type may have parameters', async () => {
  await withEcho('bytes', async (cluster) => {
    await cluster.addModel('m', 2, { input_type: 'bytes' });
    await using _second = startReplica(echo('2'), { port: cluster.rpcPort, modelVersion: '2', inputType: 'bytes' });
    await cluster.replicasConnected(2);
    const ask = async (query: string) =>
      (await cluster.query(`/a/predict${query}`, Uint8Array.of(7), { 'content-type': 'Application/Octet-Stream; x=y' })).json;
    expect((await ask('')).output).toEqual(['2', 'bytes', [7]]);
    expect((await ask('?version=1')).output).toEqual(['1', 'bytes', [7]]);
    expect(await ask('?version=3')).toMatchObject({ code: 'E_UNKNOWN_VERSION' });
  });
});

test.each([
  ['doubles', one, new Uint8Array(12), '/a/predict', 'a multiple of 8 bytes, got 12'],
  ['integers', one, new Uint8Array(5), '/a/predict', 'a multiple of 4 bytes, got 5'],
  ['floats', several, encodeInputBatch([new Uint8Array(4), new Uint8Array(3)]), '/a/predict', 'a multiple of 4 bytes, got 3'],
  ['strings', one, Uint8Array.of(0xff), '/a/predict', 'must be UTF-8'],
  ['bytes', several, new Uint8Array(3), '/a/predict', 'at least 4 bytes'],
  ['bytes', several, encodeInputBatch(Array(10_001).fill(new Uint8Array(0))), '/a/predict', '10000 inputs at most, got 10001'],
  ['doubles', one, new Uint8Array(8), '/a/predict?input_type=integers', 'of type doubles, got integers'],
] as const)('an application of %s refuses bytes that do not fit', async (inputType, headers, body, path, cause) => {
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'a', model: 'm', inputType });
  const refused = { status: 400, json: { code: 'E_INVALID_INPUT', cause: expect.stringContaining(cause) } };
  expect(await cluster.query(path, body, headers)).toMatchObject(refused);
});
