import { chmodSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startCluster } from '../helpers/cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const everywhere = { managementHost: '0.0.0.0' };

test('management that others than this machine reach asks for a token, which only the user can read', async () => {
  await using dir = await temporaryDir();
  await using cluster = await startCluster({ ...everywhere, stateDir: dir.path });
  const file = join(dir.path, 'token');
  const token = readFileSync(file, 'utf8');
  expect([statSync(file).mode & 0o777, Buffer.from(token, 'base64url').byteLength]).toEqual([0o600, 32]);
  for (const headers of [{}, bearer(`${token}x`), bearer(token.slice(1)), { authorization: `Basic ${token}` }, bearer('')]) {
    const refused = await cluster.admin('get_all_applications', {}, headers);
    expect(refused).toMatchObject({
      status: 401,
      json: { error: 'Unauthorized', code: 'E_UNAUTHORIZED', fix: expect.stringContaining('CLIPPER_TOKEN') },
    });
    expect([refused.headers.get('www-authenticate'), refused.text.includes(token)]).toEqual(['Bearer', false]);
  }
  expect(await cluster.admin('get_all_applications', {}, bearer(token))).toMatchObject({ status: 200, json: [] });
  expect(await cluster.admin('get_all_applications', {}, { authorization: `bearer  ${token}` })).toMatchObject({ status: 200 });
});

test('nothing of management is to be had without the token, but that the server is up', async () => {
  await using cluster = await startCluster(everywhere);
  const { text } = await cluster.get('management', '/admin/ping');
  expect(text).toBe('PONG');
  const paths = ['/admin/v1/cluster', '/admin/metrics', '/openapi.json', '/admin/v1/feedback/a', '/x', '/admin/ping/x', '/'];
  for (const path of paths) expect([path, (await cluster.get('management', path)).status]).toEqual([path, 401]);
  for (const path of ['add_app', 'v1/deploy', 'v1/shutdown', 'v1/logs', 'ping']) {
    expect([path, (await cluster.admin(path)).status]).toEqual([path, 401]);
  }
  expect((await cluster.get('query', '/metrics')).status).toBe(200);
});

test('a token stays that of its folder, and one that is given takes its place', async () => {
  await using dir = await temporaryDir();
  const start = (options: object) => startCluster({ ...everywhere, stateDir: dir.path, ...options });
  await (await start({}))[Symbol.asyncDispose]();
  const made = readFileSync(join(dir.path, 'token'), 'utf8');
  {
    await using again = await start({});
    expect((await again.get('management', '/admin/v1/cluster', bearer(made))).status).toBe(200);
  }
  const token = 'given-by-the-user';
  await using given = await start({ token, managementHost: '127.0.0.1' });
  const statuses = [made, token].map(async (each) => (await given.get('management', '/admin/v1/cluster', bearer(each))).status);
  expect([await Promise.all(statuses), readFileSync(join(dir.path, 'token'), 'utf8')]).toEqual([[401, 200], token]);
});

test('a token that others may know, or that is none, is refused and not shown', async () => {
  await using dir = await temporaryDir();
  const file = join(dir.path, 'token');
  const start = (options = {}) => startCluster({ ...everywhere, stateDir: dir.path, ...options });
  const failed = (message: string) => ({ code: 'E_INVALID_OPTION', message: expect.stringContaining(message) });
  writeFileSync(file, 'a-token-that-all-may-read');
  chmodSync(file, 0o644);
  await expect(start()).rejects.toMatchObject(failed('may be read or written by others'));
  rmSync(file);
  writeFileSync(file, 'short', { mode: 0o600 });
  await expect(start()).rejects.toMatchObject(failed('no token of 16 or more'));
  rmSync(file);
  symlinkSync('/etc/hostname', file);
  await expect(start()).rejects.toMatchObject(failed(`${file} can't be read`));
  await expect(start({ token: 'too short' })).rejects.toThrow(/^(?!.*too short).*16 or more characters/s);
});
