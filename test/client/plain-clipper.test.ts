import { createEndpoint, deployPredictFunction } from '../../src/client/deploy.ts';
import { connectClipper } from '../../src/client/start.ts';
import { type PlainClipper, startPlainClipper } from '../helpers/plain-clipper.ts';
import { eventually, isAlive, quiet } from '../helpers/started-cluster.ts';

const addressesOf = ({ managementUrl, queryUrl, rpcAddress }: PlainClipper) => ({ managementUrl, queryUrl, rpcAddress });
const pid = () => (inputs: readonly Float64Array[]) => inputs.map(() => process.pid);
const scaled = (factor: number) => (inputs: readonly Float64Array[]) => inputs.map(([x = 0]) => factor * x);

test('a function is deployed to a server that starts no replicas, and served by it', async () => {
  await using plain = await startPlainClipper();
  await using clipper = await connectClipper(addressesOf(plain));
  expect(clipper.cluster).toBeUndefined();
  const options = { name: 'm', inputType: 'doubles', ...quiet } as const;
  const endpoint = await createEndpoint(clipper, { ...options, predict: scaled(2), replicas: 2, labels: ['x'], batchSize: 5 });
  expect([endpoint.version, endpoint.replicas]).toEqual(['1', 2]);
  expect(await clipper.getModelInfo('m', 1)).toMatchObject({ labels: ['x'], isCurrent: true, batchSize: 5 });
  expect((await endpoint.predict([21])).output).toBe(42);
  await createEndpoint(clipper, { ...options, predict: scaled(3) });
  expect((await endpoint.predict([22])).output).toBe(66);
  expect((await endpoint.predict([23], { version: 1 })).output).toBe(46);
  await clipper.setModelVersion('m', 1);
  expect((await endpoint.predict([24])).output).toBe(48);
});

test('its replicas are scaled, started again when they die, and stopped with the connection', async () => {
  await using plain = await startPlainClipper();
  const clipper = await connectClipper(addressesOf(plain));
  const endpoint = await createEndpoint(clipper, { name: 'm', inputType: 'doubles', predict: pid(), ...quiet });
  const first = (await endpoint.predict([1])).output as number;
  process.kill(first, 'SIGKILL');
  await eventually(async () => ![first, 'None'].includes((await endpoint.predict([performance.now()])).output as number));
  await clipper.setNumReplicas('m', 3);
  expect(await clipper.getNumReplicas('m')).toBe(3);
  expect((await clipper.getLogs({ name: 'm' })).join('\n')).toContain('Serving predictions for doubles');
  await clipper.setNumReplicas('m', 1);
  const last = (await endpoint.predict([performance.now()])).output as number;
  await clipper.close();
  expect(isAlive(last)).toBe(false);
  await eventually(async () => (await plain.cluster.admin('get_all_containers')).json.length === 0);
});

test('a function that throws is told of in the words of Clipper, which has no errors', async () => {
  await using plain = await startPlainClipper();
  await using clipper = await connectClipper(addressesOf(plain));
  const predict = () => {
    throw new Error('no weights');
  };
  const endpoint = await createEndpoint(clipper, { name: 'm', inputType: 'doubles', predict, ...quiet });
  expect(await endpoint.predict([1])).toMatchObject({ default: false, output: { error: 'Error: no weights' } });
});

test('one that ends before it is ready fails the deploy, with its log, and is not registered', async () => {
  await using plain = await startPlainClipper();
  await using clipper = await connectClipper(addressesOf(plain));
  const setup = () => {
    throw new Error('no model file');
  };
  const options = { name: 'm', inputType: 'doubles', predict: scaled(1), ...quiet } as const;
  await expect(deployPredictFunction(clipper, { ...options, setup })).rejects.toMatchObject({
    code: 'E_REPLICA_EXITED',
    message: expect.stringContaining('no model file'),
  });
  expect(await clipper.getAllModels()).toEqual([]);
  // While it is captured or bundled.
  for (const ms of [1, 5, 10, 20]) {
    const signal = AbortSignal.timeout(ms);
    await expect(deployPredictFunction(clipper, { ...options, signal })).rejects.toMatchObject({ code: 'E_CANCELLED' });
  }
  expect(await clipper.getAllModels()).toEqual([]);
});

test('what only a server of ours does is refused', async () => {
  await using plain = await startPlainClipper();
  await using clipper = await connectClipper(addressesOf(plain));
  const options = { name: 'm', inputType: 'doubles', predict: scaled(1), ...quiet } as const;
  await expect(deployPredictFunction(clipper, { ...options, sample: [1], current: false })).rejects.toMatchObject({
    code: 'E_INVALID_OPTION',
    message: expect.stringMatching(/not one of clipper-ts.*: sample, current: false/),
  });
  const { rpcAddress: _unknown, ...addresses } = addressesOf(plain);
  await using silent = await connectClipper(addresses);
  await expect(deployPredictFunction(silent, options)).rejects.toMatchObject({
    code: 'E_REMOTE_BUNDLE',
    message: expect.stringContaining("rpcAddress: 'host:7000'"),
  });
  await expect(connectClipper({ ...addresses, rpcAddress: 'somewhere' })).rejects.toMatchObject({ code: 'E_INVALID_OPTION' });
});

test('one deploy that fails does not fail another, and a version that runs is not started twice', async () => {
  await using plain = await startPlainClipper();
  await using clipper = await connectClipper(addressesOf(plain));
  const setup = () => {
    throw new Error('no model file');
  };
  const slow = () => new Promise((resolve) => setTimeout(resolve, 1_000));
  const options = { inputType: 'doubles', predict: scaled(1), ...quiet } as const;
  const [bad, good] = await Promise.allSettled([
    deployPredictFunction(clipper, { ...options, name: 'bad', setup }),
    deployPredictFunction(clipper, { ...options, name: 'good', setup: slow }),
  ]);
  expect(bad).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('no model file') } });
  expect(good).toMatchObject({ status: 'fulfilled', value: { name: 'good', version: '1' } });
  await expect(deployPredictFunction(clipper, { ...options, name: 'good', version: 1 })).rejects.toMatchObject({
    code: 'E_MODEL_EXISTS',
  });
  expect(await clipper.getNumReplicas('good')).toBe(1);
});
