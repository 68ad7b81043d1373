import { deployPredictFunction } from '../../src/client/deploy.ts';
import { eventually, quiet, startedCluster } from '../helpers/started-cluster.ts';

const predict = (inputs: readonly Float64Array[]) => inputs.map(([x = 0]) => console.log(`asked ${x}`) ?? x);
const options = { inputType: 'doubles', predict, ...quiet } as const;

test('logs are followed: of replicas that run, of those started later, and to how they end', async () => {
  await using clipper = await startedCluster();
  await deployPredictFunction(clipper, { name: 'm', ...options });
  await deployPredictFunction(clipper, { name: 'other', ...options });
  const left = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const line of clipper.followLogs({ name: 'm', signal: left.signal })) seen.push(line);
  })();
  await eventually(() => seen.length === 1);
  expect(seen[0]).toMatch(/^m-1-0-\w+ \| Serving predictions for doubles input type\.$/);
  await clipper.registerApplication({ name: 'a', inputType: 'doubles' });
  await clipper.linkModelToApp('a', 'm');
  await clipper.predict('a', [7]);
  await eventually(() => seen.length === 2);
  expect(seen[1]).toMatch(/^m-1-0-\w+ \| asked 7$/);
  const pid = (await clipper.getModelStatus())[0]?.versions[0]?.replicas.live[0]?.pid ?? 0;
  process.kill(pid, 'SIGKILL');
  await eventually(() => seen.length === 4);
  expect(seen[2]).toMatch(/^m-1-0-\w+ \| \(ended with signal SIGKILL\)$/);
  expect(seen[3]).toMatch(/^m-1-1-\w+ \| Serving/);
  expect(await clipper.getLogs({ name: 'm' })).toEqual(seen);
  await clipper.stopModels('m');
  await eventually(() => seen.length === 5);
  expect(seen[4]).toMatch(/^m-1-1-\w+ \| \(ended with exit code 0\)$/);
  expect(await clipper.getLogs({ name: 'm', tailLines: 2 })).toEqual(seen.slice(-2));
  left.abort();
  await following;
  // Whoever comes later learns of those that ended.
  const again: string[] = [];
  for await (const line of clipper.followLogs({ name: 'm' })) if (again.push(line) === 5) break;
  expect(again).toEqual(seen);
  expect((await clipper.management.get('/admin/v1/logs?name=m&tailLines=2')) as string).toBe(`${seen.slice(-2).join('\n')}\n`);
  await expect(clipper.management.get('/admin/v1/logs?tail=2')).rejects.toMatchObject({ code: 'E_INVALID_OPTION' });
});

test('the stream ends with the server', async () => {
  const clipper = await startedCluster();
  await deployPredictFunction(clipper, { name: 'm', ...options });
  const seen: string[] = [];
  const following = (async () => {
    for await (const line of clipper.followLogs()) seen.push(line);
  })().catch((error: { code: string }) => seen.push(error.code));
  await eventually(() => seen.length === 1);
  await clipper.close();
  await following;
  expect(seen[0]).toContain('Serving');
});
