import { setTimeout } from 'node:timers/promises';
import { type Asked, answering, ask, askSteadily } from '../helpers/asking.ts';
import { startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { startReplica } from '../helpers/replica.ts';

quietConsole();

const isAnswered = ({ reason }: Asked): boolean => reason === undefined;

test.each([
  ['the same', 400],
  ['a longer', 1_200],
  ['a shorter', 200],
])('an application that floods a model leaves another with %s objective its share', async (_how, sloMs) => {
  await using cluster = await startCluster({ cacheBytes: 0 });
  await cluster.addLinked({ app: 'flood', model: 'm', inputType: 'doubles', sloMs: 400, settings: { batch_size: 1 } });
  await cluster.addApp({ app: 'little', model: 'm', inputType: 'doubles', sloMs });
  await using _replica = startReplica(
    answering('', () => setTimeout(10)),
    { port: cluster.rpcPort },
  );
  await cluster.replicasConnected(1);
  for (let value = 0; value < 20; value++) await ask(cluster, 'little', value);
  // The model does less than 100 a second.
  const flooding = askSteadily(cluster, 'flood', { perSecond: 300, seconds: 2 });
  await setTimeout(500);
  const little = await askSteadily(cluster, 'little', { perSecond: 15, seconds: 1.5 });
  const flood = await flooding;
  expect(little.filter(isAnswered).length).toBeGreaterThanOrEqual(0.9 * little.length);
  expect(flood.filter(isAnswered).length).toBeGreaterThan(70);
  expect(flood.filter(isAnswered).length).toBeLessThan(0.5 * flood.length);
});
