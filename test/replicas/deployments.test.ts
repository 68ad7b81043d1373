import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { bundleClosure } from '../../src/bundle/bundle.ts';
import { servingDefaults } from '../../src/contract/serving.ts';
import { EventLog } from '../../src/control/event-log.ts';
import { MemoryStore } from '../../src/control/memory-store.ts';
import { Registry } from '../../src/control/registry.ts';
import type { DeploymentRecord } from '../../src/control/state-store.ts';
import { emptyState } from '../../src/control/state-store.ts';
import { Artifacts } from '../../src/deployments/artifacts.ts';
import { Deployments } from '../../src/deployments/deployments.ts';
import type { ReplicaSpec } from '../../src/replicas/backend.ts';
import { InstanceFleets } from '../../src/replicas/instance-fleets.ts';
import { ProcessBackend } from '../../src/replicas/process/process-backend.ts';
import { Supervisor } from '../../src/replicas/supervisor.ts';
import { RpcServer } from '../../src/rpc/rpc-server.ts';
import { silentLog } from '../helpers/silent-log.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';
import { until } from '../helpers/until.ts';

/** Takes its time, as one does that looks for an image. */
class Looking extends ProcessBackend {
  override async prepare(spec: ReplicaSpec): Promise<ReplicaSpec> {
    await setTimeout(50);
    return super.prepare(spec);
  }
}

test('a version that is scaled while it is resumed has as many replicas as were asked for, of which none was started in vain', async () => {
  await using dir = await temporaryDir();
  const storeDir = join(dir.path, 'bundles');
  const { dir: bundleDir, digest } = await bundleClosure((inputs: Float64Array[]) => inputs.map(() => 1), {
    outDir: join(dir.path, 'bundle'),
  });
  await cp(bundleDir, join(storeDir, digest), { recursive: true });
  const registry = await Registry.open(new MemoryStore());
  const rest = { inputType: 'doubles', digest, env: {}, resources: {}, network: 'cluster', replicas: 1 } as const;
  const deployment: DeploymentRecord = { name: 'm', version: '1', ...rest };
  const model = {
    name: 'm',
    version: '1',
    inputType: 'doubles',
    labels: [],
    containerName: 'c',
    modelDataPath: '',
    ...servingDefaults,
  } as const;
  await registry.addModel(model, { isCurrent: true, deployment });
  const rpc: RpcServer = await RpcServer.listen({
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    onConnected: (replica) => supervisor.connected(replica),
    onLost: () => {},
  });
  const backend = new Looking({ dir: join(dir.path, 'replicas'), rpcHost: '127.0.0.1', rpcPort: rpc.port });
  const ended: string[] = [];
  const onEnded = ({ instance }: { readonly instance: string }) => void ended.push(instance);
  const supervisor = new Supervisor(new InstanceFleets(backend, silentLog), silentLog, {
    onStopping: async () => {},
    onEnded,
    onGaveUp: () => {},
  });
  try {
    const events = EventLog.of(new MemoryStore(), emptyState(), silentLog);
    const deployments = new Deployments({ registry, supervisor, artifacts: new Artifacts(storeDir), events, log: silentLog });
    const { signal } = new AbortController();
    await Promise.all([deployments.resume(deployment, signal), deployments.setReplicas('m', '1', 2, signal)]);
    await until(() => rpc.replicas.length >= 2, 'the replicas');
    await setTimeout(1_000);
    expect(supervisor.fleet('m', '1')?.running).toHaveLength(2);
    expect([rpc.replicas.length, ended]).toEqual([2, []]);
  } finally {
    await supervisor[Symbol.asyncDispose]();
    await backend[Symbol.asyncDispose]();
    await rpc.close();
  }
});
