import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deployPredictFunction } from '../../src/client/deploy.ts';
import { connectClipper } from '../../src/client/start.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

test('a name that there is not is an error of its own, whatever is asked of it', async () => {
  await using clipper = await startedCluster();
  await deployPredictFunction(clipper, { name: 'm', inputType: 'doubles', predict: (inputs) => inputs.map(() => 1), ...quiet });
  const unknown = { code: 'E_UNKNOWN_MODEL', message: expect.stringContaining("'nope'") };
  const calls = [
    () => clipper.setModelVersion('nope', 1),
    () => clipper.unregisterVersionedModels({ nope: [1] }),
    () => clipper.setNumReplicas('nope', 1),
    () => clipper.stopModels('nope'),
    () => clipper.stopVersionedModels({ nope: [1] }),
    () => clipper.stopInactiveModelVersions('nope'),
    () => clipper.setTraffic('nope', undefined),
    () => clipper.getLogs({ name: 'nope' }),
    () => clipper.followLogs({ name: 'nope' }).next(),
    () => clipper.registerApplication({ name: 'a', inputType: 'doubles', model: 'nope' }),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject(unknown);
  expect(await clipper.getLogs({ name: 'm' })).toHaveLength(1);
  const application = { name: 'a', inputType: 'doubles' } as const;
  await clipper.registerApplication(application);
  await expect(clipper.registerApplication(application)).rejects.toMatchObject({ code: 'E_APPLICATION_EXISTS' });
  await expect(clipper.unregisterApplication('b')).rejects.toMatchObject({ code: 'E_UNKNOWN_APPLICATION' });
  await expect(clipper.unlinkModelFromApp('a', 'm')).rejects.toMatchObject({ code: 'E_LINK_REFUSED' });
});

test('the version that was current is not told as such when it is deleted', async () => {
  await using clipper = await startedCluster();
  for (const version of [1, 2]) await clipper.registerModel({ name: 'm', version, inputType: 'doubles' });
  expect((await clipper.getModelStatus())[0]?.currentVersion).toBe('2');
  await clipper.unregisterVersionedModels({ m: [2] });
  expect((await clipper.getModelStatus())[0]?.currentVersion).toBeUndefined();
});

test('a running cluster of this machine is connected to by its name', async () => {
  const name = `by-name-${randomUUID().slice(0, 8)}`;
  await using clipper = await startedCluster({ name });
  const { cluster, queryUrl } = await connectClipper({ name });
  expect([cluster?.pid, queryUrl]).toEqual([clipper.cluster?.pid, clipper.queryUrl]);
  await expect(connectClipper({ name: 'nobody' })).rejects.toMatchObject({
    code: 'E_SERVER_UNREACHABLE',
    message: expect.stringMatching(new RegExp(`'nobody'.*${name}`)),
  });
});

test("a folder that is made for a cluster is its owner's alone", async () => {
  await using dir = await temporaryDir();
  const stateDir = join(dir.path, 'state');
  await using clipper = await startedCluster({ stateDir });
  expect(dirname(clipper.cluster?.storeDir ?? '')).toBe(stateDir);
  expect([statSync(stateDir).mode & 0o777, statSync(clipper.cluster?.storeDir ?? '').mode & 0o777]).toEqual([0o700, 0o700]);
});
