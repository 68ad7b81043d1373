import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { ClipperConnection } from '../../src/client/connection.ts';
import { createEndpoint } from '../../src/client/deploy.ts';
import { RestClient } from '../../src/client/rest-client.ts';
import { packageDir } from '../../src/util/package-files.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';

let clipper: ClipperConnection;
beforeAll(async () => {
  clipper = await startedCluster({ cacheBytes: 0, maxBodyBytes: 1_000_000 });
});
afterAll(() => clipper.close());

/** An endpoint that answers what an input is in the replica. */
const describing = (name: string, inputType: 'bytes' | 'strings' | 'integers' | 'floats' | 'doubles') =>
  createEndpoint(clipper, {
    name,
    inputType,
    predict: (inputs: readonly { readonly length: number }[]) => inputs.map((input) => input.constructor.name + input.length),
    ...quiet,
  });

test('an endpoint is asked with inputs of its type, one or several', async () => {
  const sum = await createEndpoint(clipper, {
    name: 'sum',
    inputType: 'doubles',
    predictOne: (row) => row.reduce((total, x) => total + x, 0),
    ...quiet,
  });
  expect(await sum.predict([1, 2.5])).toEqual({ queryId: expect.any(Number), output: 3.5, default: false });
  expect((await sum.predict(Float64Array.of(1, 2), { version: 1 })).output).toBe(3);
  const answers = await sum.predictBatch([[1], new Uint8Array([2, 3]), [Number.NaN]]);
  // Its sum is not a number, which JSON has no form for.
  expect(answers.map(({ output }) => output)).toEqual([1, 5, 'None']);
  expect(answers[2]?.defaultExplanation).toMatch(/returned NaN, which JSON has no form for/);
  expect(await sum.predictBatch([])).toEqual([]);
  // @ts-expect-error: an endpoint of numbers is not asked with a text.
  await expect(sum.predict('x')).rejects.toMatchObject({ code: 'E_INVALID_INPUT' });
  // @ts-expect-error: so is an application whose type is given.
  await expect(clipper.predict<'doubles'>('sum', 'x')).rejects.toMatchObject({ code: 'E_INVALID_INPUT' });
});

test.each([
  ['bytes', Buffer.from('abc').subarray(1), 'Uint8Array2'],
  ['integers', [1, -0, -(2 ** 31)], 'Int32Array3'],
  ['integers', Float64Array.of(1, 2), 'Int32Array2'],
  ['floats', [0.1], 'Float32Array1'],
  ['doubles', Float32Array.of(1, 2), 'Float64Array2'],
  ['doubles', { length: 1, 0: 7 }, 'Float64Array1'],
  ['strings', 'ü', 'String1'],
] as const)('%s are sent as what the function takes', async (type, input, output) => {
  await describing(`type-${type}`, type);
  expect(await clipper.predict(`type-${type}`, input)).toMatchObject({ output, default: false });
});

test.each([
  ['doubles', 'x', 'an array of numbers, got "x"'],
  ['doubles', [1, '2'], 'an array of numbers, got "2" at index 1'],
  ['doubles', [[1]], 'at index 0'],
  ['doubles', undefined, 'an array of numbers, got nothing'],
  ['doubles', BigInt64Array.of(1n), 'got 1n at index 0'],
  ['integers', [1, 2 ** 31], 'integers of 32 bits, got 2147483648 at index 1'],
  ['integers', [0.5], 'integers of 32 bits, got 0.5 at index 0'],
  ['bytes', 'AAAA', 'a Uint8Array, got "AAAA"'],
  ['bytes', [1], 'a Uint8Array'],
  ['strings', [1], 'a string'],
])('an application of %s refuses %p, saying what it takes', async (inputType, input, message) => {
  const name = `refuses-${inputType}`;
  if ((await clipper.getAppInfo(name)) === undefined) await clipper.registerApplication({ name, inputType });
  const refused = { code: 'E_INVALID_INPUT', message: expect.stringContaining(message) };
  await expect(clipper.predict(name, input as never)).rejects.toMatchObject(refused);
  await expect(clipper.predictBatch(name, [input as never])).rejects.toMatchObject(refused);
});

test('an array that is filled anew after the call is sent as it was', async () => {
  const first = await createEndpoint(clipper, { name: 'first', inputType: 'floats', predictOne: ([x]) => x, ...quiet });
  const row = Float32Array.of(1);
  const asked = [first.predict(row)];
  row[0] = 2;
  asked.push(first.predict(row));
  row[0] = 3;
  expect((await Promise.all(asked)).map(({ output }) => output)).toEqual([1, 2]);
});

test('an application that comes to take another type is asked anew', async () => {
  await clipper.registerApplication({ name: 'changing', inputType: 'doubles' });
  expect((await clipper.predict('changing', [1])).defaultReason).toBe('no_model_linked');
  await clipper.unregisterApplication('changing');
  await expect(clipper.predict('changing', [1])).rejects.toMatchObject({ code: 'E_UNKNOWN_APPLICATION' });
  await clipper.registerApplication({ name: 'changing', inputType: 'integers' });
  expect((await clipper.predict('changing', [1])).defaultReason).toBe('no_model_linked');
  await clipper.unregisterApplication('changing');
  await clipper.registerApplication({ name: 'changing', inputType: 'strings' });
  expect((await clipper.predictBatch('changing', ['x']))[0]?.defaultReason).toBe('no_model_linked');
  await expect(clipper.predict('changing', [1])).rejects.toMatchObject({ code: 'E_INVALID_INPUT' });
});

test('an input that is larger than the server takes is refused as such', async () => {
  await clipper.registerApplication({ name: 'large', inputType: 'bytes' });
  await expect(clipper.predict('large', new Uint8Array(1_100_000))).rejects.toMatchObject({ code: 'E_BODY_TOO_LARGE' });
  expect((await clipper.predict('large', new Uint8Array(900_000))).defaultReason).toBe('no_model_linked');
});

test('a server that is not ours is asked in JSON', async () => {
  await describing('plain', 'bytes');
  const { queryUrl, managementUrl } = clipper;
  await using berkeley = new ClipperConnection({ queryUrl, managementUrl, cluster: undefined, stopServer: undefined });
  expect((await berkeley.predict('plain', Uint8Array.of(1, 2))).output).toBe('Uint8Array2');
  await expect(berkeley.predict('plain', [1])).rejects.toMatchObject({ message: expect.stringContaining('base64') });
});

describe('kept-alive connections', () => {
  /** Answers the first request on each connection, and closes it at the next. */
  async function forgetfulServer(options: { readonly answers: number }) {
    let connections = 0;
    const server = createServer((socket) => {
      const isGood = ++connections <= options.answers;
      let requests = 0;
      socket
        .on('error', () => {})
        .on('data', () => {
          if (++requests > 1 || !isGood) socket.destroy();
          else socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}');
        });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return { url, connections: () => connections, [Symbol.dispose]: () => void server.close() };
  }

  test('that the server closed meanwhile are replaced, once', async () => {
    using server = await forgetfulServer({ answers: 2 });
    const client = new RestClient(server.url, { keepAlive: true });
    const post = (): Promise<unknown> => client.post('/', {});
    expect(await post()).toEqual({});
    expect(await post()).toEqual({});
    expect(server.connections()).toBe(2);
    // The next is refused on a new connection too.
    await expect(post()).rejects.toMatchObject({ code: 'E_SERVER_UNREACHABLE' });
    expect(server.connections()).toBe(3);
    client.close();
  });

  test('are used again', async () => {
    let connections = 0;
    const server = createHttpServer((_request, response) => response.end('done'))
      .on('connection', () => connections++)
      .listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = new RestClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { keepAlive: true });
    for (let asked = 0; asked < 5; asked++) expect(await client.post('/', {})).toBe('done');
    expect(connections).toBe(1);
    // It would wait for connections that are open.
    client.close();
    server.close();
    await once(server, 'close');
  });

  test('let a process end that does not close', async () => {
    await clipper.registerApplication({ name: 'ends', inputType: 'doubles' });
    const program = `
      const { connectClipper } = require(${JSON.stringify(packageDir)});
      connectClipper({ managementUrl: ${JSON.stringify(clipper.managementUrl)} }).then(async (clipper) => {
        await Promise.all(Array.from({ length: 9 }, () => clipper.predict('ends', [1])));
      });`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'inherit', 'inherit'] });
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});
