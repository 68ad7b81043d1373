import { setTimeout } from 'node:timers/promises';
import { answering, askSteadily, metric } from '../helpers/asking.ts';
import { startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { RawContainer } from '../helpers/raw-container.ts';
import { startReplica } from '../helpers/replica.ts';
import { until } from '../helpers/until.ts';

quietConsole();

const sloMs = 400;
const applications = ['a', 'b', 'c'];

/** Works, dawdles, fails or hangs a while, as it comes. */
async function moody(): Promise<void> {
  const mood = Math.random();
  if (mood < 0.05) throw new RangeError('moody');
  await setTimeout(mood < 0.1 ? 600 : mood < 0.3 ? 50 : 3);
}

/** Connects, takes a batch, and goes away with it or answers without outputs. */
async function vandal(port: number): Promise<void> {
  using container = new RawContainer(port);
  await container.announce({ extensions: { errors: true, packed: true } });
  // It may be asked whether it lives instead.
  const request = container.receiveRequest().catch(() => undefined);
  const messageId = await Promise.race([request, setTimeout(500)]);
  if (messageId !== undefined && Math.random() < 0.5) await container.respond(messageId, []);
  await setTimeout(20);
}

test.each([
  ['a query a batch', { batch_size: 1, hedge: true }],
  ['adaptive batches', { hedge: true }],
  ['delayed batches', { batch_size: 20, batch_delay_micros: 20_000, hedge: true }],
])('whatever replicas do, every query is answered with its own output or the default in time: %s', async (_how, settings) => {
  await using cluster = await startCluster({ cacheBytes: 10_000 });
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles', sloMs, settings });
  for (const app of ['b', 'c']) await cluster.addApp({ app, model: 'm', inputType: 'doubles', sloMs: sloMs / 2 });
  await using _one = startReplica(answering('', moody), { port: cluster.rpcPort });
  await using _two = startReplica(answering('', moody), { port: cluster.rpcPort, packedExtension: false });
  await cluster.replicasConnected(2);
  let isOver = false;
  const vandals = [1, 2].map(async () => {
    while (!isOver) await vandal(cluster.rpcPort);
  });
  // All ask the same, so that they share computations.
  const asked = await Promise.all(applications.map((app) => askSteadily(cluster, app, { perSecond: 100, seconds: 2 })));
  isOver = true;
  await Promise.all(vandals);
  for (const answers of asked) {
    expect(answers).toHaveLength(200);
    for (const [value, { output, reason, explain }] of answers.entries()) {
      expect(output).toBe(reason === undefined ? value : 'default');
      expect(explain.timeline.answered).toBeLessThan(1_000 * (sloMs + 500));
    }
    expect(answers.filter(({ reason }) => reason === undefined).length).toBeGreaterThan(20);
  }
  await cluster.replicasConnected(2);
  await until(async () => (await metric(cluster, 'clipper_batches_in_flight')) === 0, 'the last batches');
  expect(await metric(cluster, 'clipper_queue_depth')).toBe(0);
});
