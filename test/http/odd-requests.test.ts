import { connect } from 'node:net';
import { startCluster } from '../helpers/cluster.ts';

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

test('requests that ask for too much, or are no HTTP, are refused and disturb nobody', async () => {
  await using server = await startCluster({ maxBodyBytes: 1_000_000 });
  await server.addLinked({ app: 'app', model: 'm', inputType: 'strings' });
  const refused = async (body: string) => {
    const { status, json } = await server.query('/app/predict', body);
    return [status, json];
  };
  const tooMany = `{"input_batch":[${'"",'.repeat(10_000)}""]}`;
  expect(await refused(tooMany)).toEqual([
    400,
    expect.objectContaining({ cause: expect.stringContaining('10000 inputs at most, got 10001') }),
  ]);
  for (const body of [
    `{"input":${nested(50_000)}}`,
    `{"input_batch":${nested(50_000)}}`,
    `{"input":"x","version":${nested(50_000)}}`,
    nested(50_000),
  ]) {
    const [status, json] = await refused(body);
    expect([status, (json as { cause: string }).cause.length < 300]).toEqual([400, true]);
  }
});

test('bytes that are no HTTP are answered and the connection is closed', async () => {
  await using server = await startCluster();
  const socket = connect(server.queryPort, '127.0.0.1');
  socket.end('this is no request\r\n\r\n');
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) text += chunk as string;
  expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  expect(text).toContain('Connection: close');
  expect(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'E_INVALID_INPUT' });
});
