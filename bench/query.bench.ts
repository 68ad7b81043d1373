// Requests per second and latency of a model that does nothing, beside a bare HTTP server that echoes JSON.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import autocannon, { type Result } from 'autocannon';
import { createEndpoint, startClipper } from 'clipper-ts';
import { fixed, median, printTable } from './statistics.ts';

const rounds = 3;
const seconds = 5;

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

/** Loads an address with inputs that never repeat, and requires every answer to be a success. */
async function load(url: string, connections: number): Promise<Result> {
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    method: 'POST',
    requests: [{ setupRequest: (request) => ({ ...request, body: `{"input":[${unique++}.5,2,3]}` }) }],
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${result.non2xx} refusals and ${result.errors} errors from ${url}`);
  return result;
}

async function check(url: string): Promise<void> {
  const response = await fetch(url, { method: 'POST', body: '{"input":[7.5,2,3]}' });
  const { output, default: isDefault } = (await response.json()) as { output: unknown; default: boolean };
  if (output !== 7.5 || isDefault) throw new Error(`${url} answered ${JSON.stringify(output)}`);
}

const echo = spawn(process.execPath, ['-e', echoProgram], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
const [port] = (await once(echo, 'message')) as [number];
const echoUrl = `http://127.0.0.1:${port}/echo`;
{
  await using clipper = await startClipper({ queryPort: 0, managementPort: 0, rpcPort: 0 });
  const options = { name: 'noop', inputType: 'doubles', batchSize: 64, onProgress: () => {} } as const;
  const { url } = await createEndpoint(clipper, { ...options, predict: (rows) => rows.map((row) => row[0]) });
  await check(url);
  await check(echoUrl);
  const table = [['', 'req/s', 'mean ms', 'p99 ms', 'of the echo']];
  for (const connections of [1, 128]) {
    const rates = { echo: [] as number[], clipper: [] as number[] };
    const latencies = { echo: [] as Result[], clipper: [] as Result[] };
    for (let round = 0; round < rounds; round++) {
      for (const [who, address] of [
        ['echo', echoUrl],
        ['clipper', url],
      ] as const) {
        const result = await load(address, connections);
        rates[who].push(result.requests.average);
        latencies[who].push(result);
      }
    }
    for (const who of ['echo', 'clipper'] as const) {
      const p = (key: 'average' | 'p99') => fixed(median(latencies[who].map(({ latency }) => latency[key])));
      const ratio = median(rates[who]) / median(rates.echo);
      table.push([`${who}, ${connections} connections`, fixed(median(rates[who]), 0), p('average'), p('p99'), fixed(ratio)]);
    }
  }
  const defaults = JSON.stringify(await clipper.inspectInstance()).match(/"reason":"\w+"/g) ?? [];
  printTable(table);
  console.log(`default outputs given: ${defaults.length === 0 ? 'none' : [...new Set(defaults)].join(', ')}`);
}
echo.disconnect();
