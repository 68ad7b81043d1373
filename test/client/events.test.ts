import { createEndpoint, deployPredictFunction } from '../../src/client/deploy.ts';
import type { ClusterEvent } from '../../src/contract/events.ts';
import { eventually, quiet, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

const predict = (inputs: readonly Float64Array[]) => inputs.map(([x = 0]) => x);
const options = { name: 'm', inputType: 'doubles', predict, ...quiet } as const;
const kinds = (events: readonly ClusterEvent[]) => events.map(({ kind }) => kind);

test('tell what happened, from deploy to deletion', async () => {
  await using clipper = await startedCluster();
  await createEndpoint(clipper, options);
  await deployPredictFunction(clipper, options);
  await clipper.setModelVersion('m', '1');
  await clipper.setNumReplicas('m', 2);
  const status = (await clipper.getModelStatus())[0];
  process.kill(status?.versions[0]?.replicas.live[0]?.pid ?? 0, 'SIGKILL');
  await eventually(async () => kinds(await clipper.getEvents()).filter((kind) => kind === 'ready').length === 4);
  await clipper.stopModels('m');
  const events = await clipper.getEvents();
  expect(kinds(events)).toEqual([
    'server_started',
    ...['ready', 'deployed', 'ready', 'deployed', 'switched', 'scaled', 'ready', 'died', 'ready', 'stopped', 'stopped'],
  ]);
  expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1));
  expect(events[5]).toMatchObject({ model: 'm', version: '1', message: 'm goes from version 2 to 1' });
  expect(events[8]).toMatchObject({
    model: 'm',
    version: '1',
    message: expect.stringMatching(/m-1-0-\w+ ended with signal SIGKILL/),
  });
  expect(await clipper.getEvents({ since: 10 })).toEqual(events.slice(10));
  const misspelt = { sinse: 10 } as object;
  for (const asking of [clipper.getEvents(misspelt), clipper.followEvents(misspelt).next()]) {
    await expect(asking).rejects.toMatchObject({ code: 'E_INVALID_OPTION', message: expect.stringContaining('sinse') });
  }
});

test('are followed as they happen, until the follower has enough', async () => {
  await using clipper = await startedCluster();
  const seen: string[] = [];
  const following = (async () => {
    for await (const { kind } of clipper.followEvents()) {
      seen.push(kind);
      if (kind === 'deployed') break;
    }
  })();
  await eventually(() => seen.length === 1);
  await deployPredictFunction(clipper, options);
  await following;
  expect(seen).toEqual(['server_started', 'ready', 'deployed']);
  const ended = new AbortController();
  const all: string[] = [];
  const cancelled = (async () => {
    for await (const { kind } of clipper.followEvents({ since: 2, signal: ended.signal })) all.push(kind);
  })();
  await eventually(() => all.length === 1);
  ended.abort();
  await cancelled;
  expect(all).toEqual(['deployed']);
});

test('are kept over a restart, and go on counting', async () => {
  await using dir = await temporaryDir();
  const first = await startedCluster({ stateDir: dir.path });
  await deployPredictFunction(first, options);
  const before = await first.getEvents();
  await first.close();
  await using second = await startedCluster({ stateDir: dir.path });
  await eventually(async () => kinds(await second.getEvents()).filter((kind) => kind === 'ready').length === 2);
  const after = await second.getEvents();
  expect(after.slice(0, before.length)).toEqual(before);
  expect(kinds(after.slice(before.length))).toEqual(['server_stopping', 'server_started', 'ready']);
  expect(after.map(({ id }) => id)).toEqual(after.map((_, index) => index + 1));
});

test('end when the server does, with its stop as the last one', async () => {
  const clipper = await startedCluster();
  const seen: string[] = [];
  const following = (async () => {
    for await (const { kind } of clipper.followEvents()) seen.push(kind);
  })().catch((error: { code: string }) => error.code);
  await eventually(() => seen.length > 0);
  await clipper.close();
  await following;
  expect(seen).toEqual(['server_started', 'server_stopping']);
});
