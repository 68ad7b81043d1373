import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { bundleClosure } from '../../src/bundle/bundle.ts';
import { encodeInput } from '../../src/protocol/input-types.ts';
import { InstanceFleets } from '../../src/replicas/instance-fleets.ts';
import { ProcessBackend } from '../../src/replicas/process/process-backend.ts';
import { Supervisor } from '../../src/replicas/supervisor.ts';
import { RpcServer } from '../../src/rpc/rpc-server.ts';
import { silentLog } from '../helpers/silent-log.ts';
import { isAlive } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';
import { until } from '../helpers/until.ts';

async function supervised(predict: Function, settings: { readonly extensions?: boolean } = {}) {
  const dir = await temporaryDir();
  const { dir: bundleDir } = await bundleClosure(predict, { outDir: `${dir.path}/bundle` });
  const rpc: RpcServer = await RpcServer.listen({
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    onConnected: (replica) => supervisor.connected(replica),
    onLost: () => {},
  });
  const backend = new ProcessBackend({ dir: `${dir.path}/replicas`, rpcHost: '127.0.0.1', rpcPort: rpc.port, ...settings });
  const onEnded = ({ instance }: { readonly instance: string }) => rpc.instanceEnded(instance, 'it ended');
  const supervisor = new Supervisor(new InstanceFleets(backend, silentLog), silentLog, {
    onStopping: async () => {},
    onEnded,
    onGaveUp: () => {},
  });
  const spec = { modelName: 'm', modelVersion: '1', inputType: 'doubles', env: {}, resources: {}, network: 'cluster' } as const;
  const fleet = await supervisor.add({ ...spec, source: { kind: 'bundle', dir: bundleDir } }, new AbortController().signal);
  const connect = (wanted: number) =>
    supervisor.scaleUntilConnected(fleet, wanted, { timeoutMs: 20_000, signal: new AbortController().signal });
  return {
    dir: dir.path,
    rpc,
    supervisor,
    fleet,
    connect,
    [Symbol.asyncDispose]: async () => {
      await supervisor[Symbol.asyncDispose]();
      await rpc.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}

describe('a replica that hangs', () => {
  test('is replaced by another', async () => {
    await using world = await supervised(() => {
      for (;;);
    });
    const [hung] = await world.connect(1);
    const pid = world.fleet.running[0]?.pid ?? 0;
    const lost = hung?.predict([encodeInput(Float64Array.of(1))]).catch((error: Error) => error.message);
    await setTimeout(50);
    if (hung !== undefined) world.supervisor.replace(hung);
    expect(await lost).toContain('is gone');
    const next = await until(
      () => world.rpc.replicas.find(({ instance }) => instance !== hung?.instance),
      'a replica in its place',
    );
    expect([next.model, isAlive(pid), world.fleet.wanted]).toEqual(['m:1', false, 1]);
  });

  test('is known by a batch that it keeps for longer than its patience', async () => {
    await using world = await supervised(() => new Promise(() => {}));
    const [replica] = await world.connect(1);
    const lost = replica?.predict([encodeInput(Float64Array.of(1))], 90_000).catch(() => 'lost');
    const now = performance.now();
    expect([replica?.isOverdue(now + 89_000), replica?.isOverdue(now + 91_000)]).toEqual([false, true]);
    void lost;
  });
});

test('a replica that can not be started is reported, and not wanted any more', async () => {
  await using world = await supervised((inputs: unknown[]) => inputs);
  writeFileSync(`${world.dir}/replicas`, 'in the way');
  // So many are not started all at once.
  for (const wanted of [1, 20]) {
    await expect(world.connect(wanted)).rejects.toMatchObject({
      code: 'E_REPLICA_EXITED',
      message: expect.stringContaining('could not be started: ENOTDIR'),
    });
    expect([world.fleet.wanted, world.fleet.running]).toEqual([0, []]);
  }
  rmSync(`${world.dir}/replicas`);
  expect(await world.connect(1)).toHaveLength(1);
});

test('replicas that are stopped while they are waited for are not taken for dead ones', async () => {
  await using world = await supervised((inputs: unknown[]) => inputs);
  const waiting = world.connect(2);
  await setTimeout(5);
  await world.fleet.scale(0);
  await expect(waiting).rejects.toMatchObject({ code: 'E_CANCELLED', message: expect.stringContaining('was stopped') });
});

test('a container that can not tell which it is may die as often as it likes, as long as it answers', async () => {
  await using world = await supervised((inputs: unknown[]) => inputs.map(() => 1), { extensions: false });
  await world.connect(1);
  for (let death = 1; death <= 7; death++) {
    const replica = await until(() => world.rpc.replicas.find(({ isLost, hasAnswered }) => !isLost && !hasAnswered), 'a replica');
    expect(replica.instance).toBeUndefined();
    await replica.predict([encodeInput(Float64Array.of(1))]);
    process.kill(world.fleet.running[0]?.pid ?? 0, 'SIGKILL');
  }
  await until(() => world.fleet.connected.length === 1, 'a replica in its place');
  expect([world.fleet.wanted, world.fleet.crashLoop]).toEqual([1, undefined]);
});
