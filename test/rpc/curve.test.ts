import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { curveKeyPair } from 'zeromq';
import { createEndpoint } from '../../src/index.ts';
import { answering, ask } from '../helpers/asking.ts';
import { startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { startReplica } from '../helpers/replica.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';

quietConsole();

const keysFor = (curveServerKey: string) => {
  const { publicKey: curvePublicKey, secretKey: curveSecretKey } = curveKeyPair();
  return { curve: { curveServerKey, curvePublicKey, curveSecretKey } };
};

test('replicas that a server starts speak to it encrypted', async () => {
  await using clipper = await startedCluster({ rpcSecurity: 'curve' });
  const predict = (rows: Float64Array[]) => rows.map(() => process.pid);
  await createEndpoint(clipper, { ...quiet, name: 'pid', inputType: 'doubles', predict, sample: [1], replicas: 2 });
  const { output: replica } = await clipper.predict('pid', [1]);
  expect(replica).not.toBe(clipper.cluster?.pid);
  expect(await clipper.getNumReplicas('pid')).toBe(2);
  expect(clipper.cluster?.rpcServerKey).toHaveLength(40);
  // Arguments of a process are there for all users to see.
  expect(execFileSync('ps', ['-p', String(replica), '-o', 'args='], { encoding: 'utf8' })).not.toContain('CURVE');
  expect(readFileSync(`/proc/${replica}/environ`, 'utf8')).toContain('CLIPPER_CURVE_SECRET_KEY=');
});

test('a container without the server’s key, or with another, is never connected; one with it is', async () => {
  await using cluster = await startCluster({ rpcSecurity: 'curve' });
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
  const { json: info } = await cluster.get('management', '/admin/v1/cluster');
  await using _none = startReplica(answering('wrong '), { port: cluster.rpcPort });
  await using _other = startReplica(answering('wrong '), { port: cluster.rpcPort, ...keysFor(curveKeyPair().publicKey) });
  await setTimeout(1_000);
  expect((await cluster.admin('get_all_containers')).json).toEqual([]);
  await using _right = startReplica(answering(), { port: cluster.rpcPort, ...keysFor(info.rpcServerKey) });
  await cluster.replicasConnected(1);
  expect((await ask(cluster, 'a', 7)).output).toBe(7);
});

test('a replica with keys is not taken in by a server that has none', async () => {
  await using cluster = await startCluster();
  await using _replica = startReplica(answering(), { port: cluster.rpcPort, ...keysFor(curveKeyPair().publicKey) });
  await setTimeout(500);
  expect((await cluster.admin('get_all_containers')).json).toEqual([]);
});
