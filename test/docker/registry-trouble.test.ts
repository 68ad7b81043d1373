import { networkInterfaces } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { DockerEngine } from '../../src/docker/engine.ts';
import { ensureImage } from '../../src/docker/pull.ts';
import { pushImage } from '../../src/docker/push.ts';
import { describeWithRegistry, freePort, startProxy, startRegistry, startServer } from '../helpers/registry.ts';
import { testImage } from '../helpers/test-image.ts';

const onLine = (): void => {};

describeWithRegistry('trouble on the way to a registry', () => {
  let engine: DockerEngine;
  beforeAll(async () => {
    engine = await DockerEngine.connect();
  });

  test('is waited out where it passes', async () => {
    const port = await freePort();
    await using image = await testImage(engine, `127.0.0.1:${port}/team/model:1`);
    const lines: string[] = [];
    const pushing = pushImage(engine, { reference: image.reference, onLine: (line) => lines.push(line) });
    await setTimeout(1_000);
    await using _registry = await startRegistry({ port });
    await expect(pushing).resolves.toMatchObject({ digest: expect.stringMatching(/^sha256:/) });
    expect(lines).toContainEqual(expect.stringMatching(/connection refused; trying again in 0.5 s/));
  });

  test('is reported where it stays', async () => {
    await using registry = await startRegistry();
    let asked = 0;
    await using proxy = await startProxy(registry.address, ({ method, url = '' }) => {
      if (method !== 'PUT' || !url.includes('/manifests/')) return 'pass';
      asked++;
      return 500;
    });
    await using image = await testImage(engine, `${proxy.address}/team/model:1`);
    await expect(pushImage(engine, { reference: image.reference, onLine })).rejects.toMatchObject({
      code: 'E_REGISTRY_FAILED',
      message: expect.stringMatching(
        new RegExp(`${proxy.address}.*tried 5 times: .*500 Internal Server Error.*Fix: see that`, 's'),
      ),
    });
    expect(asked).toBe(5);
  });

  test('is waited out when pulling, too, and a refusal is not', async () => {
    await using registry = await startRegistry();
    // One attempt may ask twice.
    const troubles = [503, 429];
    await using proxy = await startProxy(registry.address, ({ url = '' }) =>
      url.includes('/manifests/') ? (troubles.shift() ?? 403) : 'pass',
    );
    const lines: string[] = [];
    const reference = `${proxy.address}/team/model:1`;
    const pulling = ensureImage(engine, reference, { authFor: async () => undefined, onLine: (line) => lines.push(line) });
    await expect(pulling).rejects.toMatchObject({
      code: 'E_REGISTRY_FAILED',
      message: expect.stringMatching(/tried [23] times: .*Fix: `docker login 127/s),
    });
    expect(lines).toContainEqual(expect.stringMatching(/(?:503|429).*trying again in 0.5 s/));
  });

  test('is told from a registry that has another image under the name', async () => {
    await using registry = await startRegistry();
    await using other = await testImage(engine, `${registry.address}/team/other:1`);
    await pushImage(engine, { reference: other.reference, onLine });
    let isPushed = false;
    await using proxy = await startProxy(registry.address, (request) => {
      if (isPushed) request.url = request.url?.replace('/team/model/', '/team/other/');
      isPushed ||= request.method === 'PUT' && request.url?.endsWith('/manifests/1') === true;
      return 'pass';
    });
    await using image = await testImage(engine, `${proxy.address}/team/model:1`);
    await expect(pushImage(engine, { reference: image.reference, onLine })).rejects.toMatchObject({
      code: 'E_REGISTRY_FAILED',
      message: expect.stringMatching(/has sha256:\w+ as .*\/team\/model:1, and sha256:\w+ was pushed/),
    });
  });

  test('is named where a registry beyond loopback has no TLS', async () => {
    await using server = await startServer((_, answer) => void answer.end(), outerAddress());
    await using image = await testImage(engine, `${server.address}/team/model:1`);
    await expect(pushImage(engine, { reference: image.reference, onLine })).rejects.toMatchObject({
      code: 'E_REGISTRY_FAILED',
      message: expect.stringMatching(/HTTP response to HTTPS client.*Fix: .*insecure-registries/s),
    });
  });

  test.each(['before it', 'while it uploads', 'between attempts'])('ends soon after a cancel %s', async (when) => {
    await using registry = await startRegistry();
    let uploads = 0;
    await using proxy = await startProxy(registry.address, ({ method }) => {
      if (when === 'between attempts') return 429;
      if (method !== 'POST') return 'pass';
      uploads++;
      return 'silence';
    });
    await using image = await testImage(engine, `${proxy.address}/team/model:1`);
    const cancel = new AbortController();
    if (when === 'before it') cancel.abort();
    const pushing = pushImage(engine, {
      reference: image.reference,
      signal: cancel.signal,
      onLine: (line) => {
        if (line.includes('trying again in 1 s')) cancel.abort();
      },
    });
    const outcome = pushing.then(
      () => undefined,
      (error: unknown) => error,
    );
    if (when === 'while it uploads') {
      while (uploads === 0) await setTimeout(5);
      cancel.abort();
    }
    const start = performance.now();
    expect(await outcome).toMatchObject({ code: 'E_CANCELLED' });
    expect(performance.now() - start).toBeLessThan(when === 'between attempts' ? 1_400 : 2_000);
  });
});

/** An address of this machine that other machines see. */
const outerAddress = (): string | undefined =>
  Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.family === 'IPv4' && !each.internal)?.address;
