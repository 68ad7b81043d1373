import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { createEndpoint } from '../../src/client/deploy.ts';
import { eventually, isAlive, quiet, startedCluster } from '../helpers/started-cluster.ts';

const slow = async (inputs: readonly Float64Array[]) => {
  await new Promise((resolve) => globalThis.setTimeout(resolve, 200));
  return inputs.map(([x]) => x);
};

test('SIGTERM lets queries at hand be answered, takes no new ones, and leaves no process', async () => {
  const clipper = await startedCluster();
  await createEndpoint(clipper, { name: 'm', inputType: 'doubles', predict: slow, batchSize: 2, replicas: 2, ...quiet });
  const pids = (await clipper.getModelStatus()).flatMap(({ versions }) =>
    versions.flatMap(({ replicas }) => replicas.live.map(({ pid = 0 }) => pid)),
  );
  const asked = Array.from({ length: 12 }, (_, n) => clipper.predict('m', [n]));
  await setTimeout(50);
  const pid = clipper.cluster?.pid ?? 0;
  process.kill(pid, 'SIGTERM');
  const answers = await Promise.all(asked);
  expect(answers.filter((answer) => answer.default)).toEqual([]);
  await eventually(() => !isAlive(pid));
  await expect(clipper.predict('m', [99])).rejects.toMatchObject({ code: 'E_SERVER_UNREACHABLE' });
  expect(pids.filter(isAlive)).toEqual([]);
  await clipper.close();
});

test('a client that keeps its connection and asks on is told to take another, and does not keep the server', async () => {
  const clipper = await startedCluster();
  await createEndpoint(clipper, { name: 'm', inputType: 'doubles', predict: slow, ...quiet });
  const body = JSON.stringify({ input: [1] });
  const sent = request(`${clipper.queryUrl}/m/predict`, { method: 'POST', headers: { connection: 'keep-alive' } });
  // The request was begun before the server was told to end, and its body comes after.
  sent.write(body.slice(0, 5));
  await setTimeout(100);
  const ended = clipper.close();
  await setTimeout(100);
  sent.end(body.slice(5));
  const [response] = await once(sent, 'response');
  response.resume();
  await ended;
  expect(response.statusCode).toBe(200);
});

test('a request that never ends does not keep the server for longer than its limit', async () => {
  const clipper = await startedCluster();
  const sent = request(`${clipper.queryUrl}/m/predict`, { method: 'POST' });
  sent.on('error', () => {});
  sent.write('{');
  await setTimeout(100);
  const began = performance.now();
  await clipper.close();
  expect(performance.now() - began).toBeLessThan(9_000);
});
