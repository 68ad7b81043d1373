// What a server keeps: its memory over a million unique queries, and its processor time beside a hundred idle models.
import { spawn } from 'node:child_process';
import { createEndpoint, startClipper } from 'clipper-ts';
import { load } from './http-load.ts';
import { fixed, printTable } from './statistics.ts';

const quiet = { onProgress: () => {} };
const ports = { queryPort: 0, managementPort: 0, rpcPort: 0 };

/** A figure of the server's own process, from its metrics. */
async function figure(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]);
}

{
  await using clipper = await startClipper(ports);
  const { url } = await createEndpoint(clipper, {
    name: 'noop',
    inputType: 'doubles',
    predict: (rows) => rows.map((row) => row[0]),
    ...quiet,
  });
  let unique = 0;
  const body = (): string => `{"input_batch":[${Array.from({ length: 50 }, () => `[${unique++}.5,2,3]`).join(',')}]}`;
  const rows = [['unique queries', 'least heap MiB', 'ratio', 'resident MiB']];
  let first = 0;
  while (unique < 500_000) await load({ url, connections: 16, seconds: 0.5, body });
  // The cache is full. The least of what the heap was is what is left after a collection.
  for (let until = 1_500_000; until <= 4_500_000; until += 1_000_000) {
    let least = Number.POSITIVE_INFINITY;
    while (unique < until) {
      await load({ url, connections: 16, seconds: 0.05, body });
      least = Math.min(least, (await figure(clipper.queryUrl, 'nodejs_heap_size_used_bytes')) / 2 ** 20);
    }
    first ||= least;
    const resident = (await figure(clipper.queryUrl, 'process_resident_memory_bytes')) / 2 ** 20;
    rows.push([String(unique), fixed(least, 1), fixed(least / first), fixed(resident, 1)]);
  }
  printTable(rows);
}

// A hundred containers in one process: what counts is how many connections the server has.
const replicas = `
  const { ModelContainer, RPCService } = require('./dist/runtime/index.js');
  console.log = () => {};
  process.setMaxListeners(0);
  for (let model = 0; model < 100; model++) {
    const environment = { modelName: 'm' + model, modelVersion: '1', port: Number(process.argv[1]), readyFile: '/dev/null', packedExtension: true };
    new RPCService({ ...environment, errorsExtension: true }).start(new (class extends ModelContainer {})());
  }
`;
{
  await using clipper = await startClipper(ports);
  for (let model = 0; model < 100; model++) await clipper.registerModel({ name: `m${model}`, version: 1, inputType: 'doubles' });
  const child = spawn(process.execPath, ['-e', replicas, String(clipper.cluster?.rpcPort)], { stdio: 'inherit' });
  while ((await clipper.getAllModelReplicas()).length < 100) await new Promise((resolve) => setTimeout(resolve, 100));
  const before = await figure(clipper.queryUrl, 'process_cpu_seconds_total');
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  const used = (await figure(clipper.queryUrl, 'process_cpu_seconds_total')) - before;
  console.log(`\na hundred models with an idle replica each: ${fixed((100 * used) / 20)} % of a processor`);
  child.kill();
}
