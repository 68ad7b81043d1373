// Requests per second and latency over HTTP, beside a bare HTTP server that echoes JSON: load, server and replica on one machine.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type ClipperConnection, createEndpoint, type EndpointOptions, startClipper } from 'clipper-ts';
import { type Load, type LoadResult, load } from './http-load.ts';
import { fixed, median, printTable } from './statistics.ts';

const rounds = 3;
const seconds = 4;
const only = process.env.ONLY;

const echoProgram = `
  const server = require('node:http').createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk) => (body += chunk)).on('end', () => {
      const { input } = JSON.parse(body);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ query_id: 0, output: input[0], default: false }));
    });
  });
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
  process.once('disconnect', () => process.exit(0));
`;

let unique = 0;
const three = (): string => `{"input":[${unique++}.5,2,3]}`;
const hundred = (): string => `{"input_batch":[${Array.from({ length: 100 }, () => `[${unique++}.5,2,3]`).join(',')}]}`;
const digit = Float64Array.from({ length: 784 }, (_, at) => ((at * 37) % 256) / 255);
const rest = digit.subarray(1).join(',');
const digitJson = (): string => `{"input":[${unique++},${rest}]}`;
const digitBytes = (): Buffer => {
  digit[0] = unique++;
  return Buffer.from(new Uint8Array(digit.buffer.slice(0)));
};

/** What is loaded, by name; those whose rates are compared take turns. */
type Loads = Readonly<Record<string, Omit<Load, 'seconds'>>>;

async function compare(title: string, loads: Loads): Promise<void> {
  if (only !== undefined && !title.includes(only)) return;
  const results: Record<string, LoadResult[]> = {};
  for (const options of Object.values(loads)) await load({ ...options, seconds: 1 });
  for (let round = 0; round < rounds; round++) {
    for (const [name, options] of Object.entries(loads)) {
      results[name] = [...(results[name] ?? []), await load({ ...options, seconds })];
    }
  }
  const [first = []] = Object.values(results);
  const base = median(first.map(({ rate }) => rate));
  const rows = Object.entries(results).map(([name, all]) => {
    const of = (key: 'rate' | 'p50' | 'p99'): number => median(all.map((result) => result[key]));
    const defaults = all.reduce((sum, result) => sum + result.defaults / result.requests, 0) / all.length;
    return [
      name,
      fixed(of('rate'), 0),
      fixed((of('rate') * (1 - defaults)) / base),
      fixed(of('p50')),
      fixed(of('p99')),
      `${fixed(100 * defaults, 3)} %`,
    ];
  });
  printTable([[title, 'req/s', 'predictions', 'p50 ms', 'p99 ms', 'defaults'], ...rows]);
  console.log();
}

async function check(url: string): Promise<void> {
  const response = await fetch(url, { method: 'POST', body: '{"input":[7.5,2,3]}' });
  const { output, default: isDefault } = (await response.json()) as { output: unknown; default: boolean };
  if (output !== 7.5 || isDefault) throw new Error(`${url} answered ${JSON.stringify(output)}`);
}

/** Deploys a model that answers the first number of each input, and checks that it does. */
async function deploy(
  clipper: ClipperConnection,
  options: Partial<EndpointOptions<'doubles'>> & { name: string },
): Promise<string> {
  const shared = { inputType: 'doubles', onProgress: () => {} } as const;
  const { url } = await createEndpoint(clipper, { ...shared, predict: (rows) => rows.map((row) => row[0]), ...options });
  await check(url);
  return url;
}

/** Two milliseconds for a batch of whatever size, without taking the processor. */
const slow = (rows: readonly Float64Array[]): unknown[] => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
  return rows.map((row) => row[0]);
};

const echo = spawn(process.execPath, ['-e', echoProgram], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
const [port] = (await once(echo, 'message')) as [number];
const echoUrl = `http://127.0.0.1:${port}/echo`;
await check(echoUrl);
{
  await using clipper = await startClipper({ queryPort: 0, managementPort: 0, rpcPort: 0 });
  const fixedSize = await deploy(clipper, { name: 'fixed', batchSize: 64 });
  const adaptive = await deploy(clipper, { name: 'adaptive', sloMicros: 100_000 });
  const bare = { url: echoUrl, body: three };
  await compare('1 connection', {
    'bare echo': { ...bare, connections: 1 },
    clipper: { url: fixedSize, connections: 1, body: three },
  });
  await compare('128 connections', {
    'bare echo': { ...bare, connections: 128 },
    'batches of 64': { url: fixedSize, connections: 128, body: three },
    adaptive: { url: adaptive, connections: 128, body: three },
    'from the cache': { url: fixedSize, connections: 128, body: () => '{"input":[7.5,2,3]}' },
  });
  await compare('input_batch of 100 (x 100 predictions)', { clipper: { url: adaptive, connections: 16, body: hundred } });
  await compare('784 doubles', {
    JSON: { url: adaptive, connections: 32, body: digitJson },
    bytes: { url: adaptive, connections: 32, body: digitBytes, contentType: 'application/octet-stream' },
  });
  const single = await deploy(clipper, { name: 'single', batchSize: 1, predict: slow });
  const batched = await deploy(clipper, { name: 'batched', sloMicros: 20_000, predict: slow });
  await compare('2 ms a batch', {
    'batch size 1': { url: single, connections: 128, body: three },
    'adaptive, objective 20 ms': { url: batched, connections: 128, body: three },
  });
  const eight = await deploy(clipper, { name: 'eight', batchSize: 8, sloMicros: 100_000, predict: slow });
  await compare('8 inputs in 2 ms, objective 100 ms', {
    'as much as it can do': { url: eight, connections: 32, body: three },
    'twice as much': { url: eight, connections: 1_024, body: three, rate: 7_400 },
  });
}
echo.disconnect();
