import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageDir } from '../../src/util/package-files.ts';
import { useDockerHost } from '../helpers/docker-host.ts';
import { startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

/** What a user gets who starts a cluster on the engine at an address: an error, and nothing that stays. */
async function startOn(address: string): Promise<{ code: string; message: string; ms: number }> {
  using _ = useDockerHost(address);
  const start = performance.now();
  const error = await startedCluster({ backend: 'docker', name: 'unusable' }).then(
    (clipper) => clipper.close(),
    (thrown: Error & { code: string }) => thrown,
  );
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith('clipper-ts-unusable-'))).toEqual([]);
  return { code: error?.code ?? '', message: error?.message ?? '', ms: performance.now() - start };
}

/** Something that listens where an engine would. */
async function listening(answer: RequestListener): Promise<{ address: string; path: string } & AsyncDisposable> {
  const dir = await temporaryDir();
  const path = join(dir.path, 'docker.sock');
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    address: `unix://${path}`,
    path,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}

const json =
  (answers: Record<string, object>): RequestListener =>
  (request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answers[request.url ?? ''] ?? {}));
  };

describe('a Docker engine that is not there', () => {
  test('is told of at once, with where it was sought and what to start', async () => {
    const { code, message, ms } = await startOn('unix:///nowhere/docker.sock');
    expect(code).toBe('E_DOCKER_UNAVAILABLE');
    expect(message).toMatch(/No Docker engine answers at unix:\/\/\/nowhere\/docker\.sock.*Fix: start it/s);
    expect(ms).toBeLessThan(5_000);
  });

  test.each([
    ['a socket that nothing listens on', 'tcp://127.0.0.1:1', /No Docker engine answers at tcp:\/\/127\.0\.0\.1:1/],
    ['a file that is no socket', `unix://${join(packageDir, 'package.json')}`, /No Docker engine answers at .*package\.json/],
    ['a name that means nothing', 'tcp://nowhere.invalid:2375', /No Docker engine answers at tcp:\/\/nowhere\.invalid/],
  ])('is told of at %s', async (_what, address, expected) => {
    expect(await startOn(address)).toMatchObject({ code: 'E_DOCKER_UNAVAILABLE', message: expect.stringMatching(expected) });
  });

  test.each(['https://', 'ftp://there', 'unix:'])('is not sought at %s', async (address) => {
    const { code, message } = await startOn(address);
    expect([code, message]).toEqual(['E_INVALID_OPTION', expect.stringMatching(/DOCKER_HOST.*Fix: .*unix:\/\//s)]);
  });
});

describe('what is at the address of a Docker engine', () => {
  test('is told of by its version, where that is too old', async () => {
    const version = { Version: '18.09.9', ApiVersion: '1.39' };
    await using old = await listening(json({ '/version': version, '/info': { ID: 'old' } }));
    const { code, message } = await startOn(old.address);
    expect(code).toBe('E_DOCKER_UNAVAILABLE');
    expect(message).toMatch(/version 18\.09\.9 \(API 1\.39\), and 20\.10 \(API 1\.41\) or newer is needed.*Fix: update it/s);
  });

  test.each<[string, RequestListener]>([
    ['answers 404', (_request, response) => response.writeHead(404).end('<html>not here</html>')],
    ['answers pages', (_request, response) => response.end('<html>welcome</html>')],
    ['answers other JSON', json({})],
    ['closes the connection', (request) => request.destroy()],
  ])('is told of where it %s', async (_what, answer) => {
    await using other = await listening(answer);
    const { code, message } = await startOn(other.address);
    expect(code).toBe('E_DOCKER_UNAVAILABLE');
    expect(message).toContain(other.address);
    expect(message).toContain('Fix: ');
    expect(message).not.toContain('is not valid JSON');
  });

  test('is not waited for for long', async () => {
    await using silent = await listening(() => {});
    const { code, message, ms } = await startOn(silent.address);
    expect([code, message]).toEqual(['E_DOCKER_UNAVAILABLE', expect.stringMatching(/did not answer within \d+ s/)]);
    expect(ms).toBeLessThan(15_000);
  });
});

const asNobody = process.getuid?.() === 0 ? test : test.skip;

asNobody('a user who may not use the engine is told which group to join', async () => {
  await using closed = await listening(json({}));
  chmodSync(closed.path, 0o600);
  chmodSync(join(closed.path, '..'), 0o755);
  const program = `
    const { startClipper } = require(${JSON.stringify(packageDir)});
    startClipper({ name: 'nobody', backend: 'docker', queryPort: 0, managementPort: 0, rpcPort: 0 }).catch((error) => console.log(error.code, error.message));
  `;
  await using home = await temporaryDir();
  chmodSync(home.path, 0o777);
  const env = { ...process.env, DOCKER_HOST: closed.address, TMPDIR: home.path, HOME: home.path };
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], { uid: 65_534, gid: 65_534, env, encoding: 'utf8' });
  expect([stdout, stderr]).toEqual([
    expect.stringMatching(/^E_DOCKER_UNAVAILABLE The user nobody may not use.*usermod -aG docker nobody/s),
    '',
  ]);
  // Where running clusters are listed; none is.
  expect(readdirSync(home.path, { recursive: true }).sort()).toEqual(['clipper-ts-65534', 'clipper-ts-65534/clusters']);
});
