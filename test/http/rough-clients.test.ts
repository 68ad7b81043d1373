import { once } from 'node:events';
import { connect } from 'node:net';
import { answering, ask, metric } from '../helpers/asking.ts';
import { type Cluster, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { startReplica } from '../helpers/replica.ts';
import { startSteeredReplica } from '../helpers/steered-replica.ts';
import { until } from '../helpers/until.ts';

quietConsole();

async function startLinked(): Promise<Cluster> {
  const cluster = await startCluster({ cacheBytes: 0, maxBodyBytes: 1_000_000 });
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles', settings: { batch_size: 100 } });
  return cluster;
}

const request = (value: number): string => {
  const body = JSON.stringify({ input: [value] });
  return `POST /a/predict HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
};

test('clients that leave in the middle of a request, or before their answer, leave nothing behind', async () => {
  await using cluster = await startLinked();
  await using replica = startSteeredReplica({ port: cluster.rpcPort, packedExtension: false });
  await cluster.replicasConnected(1);
  const first = ask(cluster, 'a', 0);
  const batch = await replica.batch(0);
  const sockets = Array.from({ length: 100 }, (_, value) => {
    const socket = connect(cluster.queryPort, '127.0.0.1').on('error', () => {});
    socket.write(value % 2 === 0 ? request(value) : request(value).slice(0, -3));
    return socket;
  });
  await until(async () => (await metric(cluster, 'clipper_queue_depth')) === 50, 'the whole requests to wait');
  for (const socket of sockets) socket.destroy();
  const last = ask(cluster, 'a', 1_000);
  await until(async () => (await metric(cluster, 'clipper_queue_depth')) === 51, 'the last to wait');
  batch.answer();
  (await replica.batch(1)).answer();
  expect([(await first).output, (await last).output]).toEqual([0, 1_000]);
  expect(await metric(cluster, 'clipper_queue_depth')).toBe(0);
  expect(await metric(cluster, 'clipper_batches_in_flight')).toBe(0);
});

test('requests that come at once on one connection are answered in their order', async () => {
  await using cluster = await startLinked();
  await using _replica = startReplica(answering(), { port: cluster.rpcPort });
  await cluster.replicasConnected(1);
  const socket = connect(cluster.queryPort, '127.0.0.1');
  socket.write([1, 2, 3, 4, 5].map(request).join(''));
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const outputs = (): string[] => Array.from(text.matchAll(/"output":(\d)/g), ([, output]) => output ?? '');
  await until(() => outputs().length === 5, 'five answers');
  expect(outputs()).toEqual(['1', '2', '3', '4', '5']);
  socket.destroy();
});

test('a thousand connections with a query each are all answered', async () => {
  await using cluster = await startLinked();
  await using _replica = startReplica(answering(), { port: cluster.rpcPort });
  await cluster.replicasConnected(1);
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, async (_, value) => {
      const socket = connect(cluster.queryPort, '127.0.0.1');
      socket.write(request(value));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      return answer.toString().includes(`"output":${value},"default":false`);
    }),
  );
  expect(answers.filter((isRight) => !isRight)).toEqual([]);
});

test('ten thousand inputs of one request are answered in their order', async () => {
  await using cluster = await startLinked();
  await using _replica = startReplica(answering(), { port: cluster.rpcPort });
  await cluster.replicasConnected(1);
  const inputs = Array.from({ length: 10_000 }, (_, value) => [value]);
  const { json } = await cluster.query('/a/predict', { input_batch: inputs });
  expect(json.batch_predictions.map(({ output }: { output: number }) => [output])).toEqual(inputs);
});
