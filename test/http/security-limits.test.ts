import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { startCluster } from '../helpers/cluster.ts';
import { until } from '../helpers/until.ts';

const open = async (port: number): Promise<Socket> => {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  await once(socket, 'connect');
  return socket;
};
const metrics = 'GET /metrics HTTP/1.1\r\nHost: a\r\n';

/** What comes until the connection is closed, in whatever way. */
function received(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return new Promise((resolve) => socket.on('close', () => resolve(text)));
}

test('a thousand connections that say nothing keep nobody from an answer', async () => {
  await using cluster = await startCluster();
  const idle = await Promise.all(Array.from({ length: 1_000 }, () => open(cluster.queryPort)));
  expect((await cluster.get('query', '/metrics')).status).toBe(200);
  expect(idle.filter((socket) => socket.destroyed)).toEqual([]);
  for (const socket of idle) socket.destroy();
});

test('a client that sends its headers slowly is answered 408, and its connection closed', async () => {
  await using cluster = await startCluster({ headersMs: 300 });
  const socket = await open(cluster.queryPort);
  const answer = received(socket);
  for (const letter of metrics.repeat(5)) {
    if (socket.destroyed || !socket.writable) break;
    socket.write(letter);
    await setTimeout(20);
  }
  expect(await answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
});

test('a client that takes its time between requests is not taken for a slow one', async () => {
  await using cluster = await startCluster({ headersMs: 300 });
  const socket = await open(cluster.queryPort);
  for (const pause of [1_000, 0]) {
    socket.write(`${metrics}\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 OK/);
    await setTimeout(pause);
  }
  socket.destroy();
});

test('more connections than may be are closed, until those that say nothing are', async () => {
  await using cluster = await startCluster({ headersMs: 1_000, maxConnections: 5 });
  const idle = await Promise.all(Array.from({ length: 5 }, () => open(cluster.queryPort)));
  const closed = idle.map(received);
  const oneMore = await open(cluster.queryPort);
  oneMore.write(`${metrics}\r\n`);
  expect(await received(oneMore)).toBe('');
  expect((await cluster.get('management', '/admin/ping')).text).toBe('PONG');
  expect(await Promise.all(closed)).toEqual(idle.map(() => expect.stringMatching(/^HTTP\/1\.1 408/)));
  await until(async () => (await cluster.get('query', '/metrics').catch(() => undefined))?.status === 200, 'an answer');
});

test('headers that are too large are answered 431', async () => {
  await using cluster = await startCluster();
  const socket = await open(cluster.queryPort);
  const answer = received(socket);
  socket.write(`${metrics}X-Large: ${'x'.repeat(20_000)}\r\n\r\n`);
  expect(await answer).toMatch(/^HTTP\/1\.1 431 /);
});
