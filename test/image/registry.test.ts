import { z } from 'zod';
import { containerLogs } from '../../src/docker/container-logs.ts';
import { removeContainer, runContainer, waitForContainer } from '../../src/docker/containers.ts';
import { DockerEngine } from '../../src/docker/engine.ts';
import { findImage, removeImage } from '../../src/docker/images.ts';
import { ensureImage } from '../../src/docker/pull.ts';
import { pushImage } from '../../src/docker/push.ts';
import { authFor } from '../../src/docker/registry-auth.ts';
import { nodeBase } from '../../src/image/node-base.ts';
import { authWith, modelReference, parseRegistry, registryOption } from '../../src/image/registry.ts';
import { ensureRuntimeImage } from '../../src/image/runtime-image.ts';
import { resolveOptions } from '../../src/util/options.ts';
import { dockerUser, storedAuth } from '../helpers/docker-user.ts';
import { alice, describeWithRegistry, startRegistry } from '../helpers/registry.ts';
import { testImage } from '../helpers/test-image.ts';

const onLine = (): void => {};
const nobody = async (): Promise<undefined> => undefined;

describe('the option', () => {
  test.each([
    ['localhost:5000', 'localhost:5000/m:1', 'localhost:5000'],
    ['127.0.0.1:5000/a/b/', '127.0.0.1:5000/a/b/m:1', '127.0.0.1:5000'],
    ['ghcr.io/team', 'ghcr.io/team/m:1', 'ghcr.io'],
    ['team', 'team/m:1', 'docker.io'],
    ['docker.io/team', 'docker.io/team/m:1', 'docker.io'],
  ])('%s names images %s', (address, reference, host) => {
    const registry = parseRegistry({ address, username: 'alice', password: 'secret' });
    expect(registry.auth).toEqual({ username: 'alice', password: 'secret', serveraddress: host });
    expect(modelReference(parseRegistry(address), { name: 'm', version: '1' })).toBe(reference);
  });

  test.each([
    ['https://ghcr.io/team', /leave out the scheme/],
    ['alice:secret@ghcr.io/team', /credentials are given beside it/],
    ['ghcr.io/Team', /got "ghcr.io\/Team"/],
    ['docker.io', /needs a namespace/],
    ['', /got ""/],
    [5_000, /got 5000/],
    [
      { address: 'ghcr.io/team', username: 'alice', password: 5 },
      /got { address: a string, username: a string, password: a number }/,
    ],
    [{ address: 'ghcr.io/team', password: 'secret' }, /got { address: a string, password: a string }/],
    [{ address: 'ghcr.io/team', identityToken: '' }, /identityToken: nothing/],
  ])('%j is refused with what was expected', (value, message) => {
    const read = (): unknown =>
      resolveOptions(z.strictObject({ registry: registryOption.optional() }), { registry: value }, 'it');
    expect(read).toThrow(expect.objectContaining({ code: 'E_INVALID_OPTION' }));
    expect(read).toThrow(message);
    expect(read).toThrow(/expected 'host:port\/namespace'/);
    expect(read).not.toThrow(/secret/);
  });

  test('may be left out', () => {
    expect(resolveOptions(z.strictObject({ registry: registryOption.optional() }), {}, 'it')).toEqual({});
  });
});

describeWithRegistry('a registry', () => {
  let engine: DockerEngine;
  beforeAll(async () => {
    engine = await DockerEngine.connect();
  });

  test('has what was pushed, and another engine gets and runs it by its digest', async () => {
    await using registry = await startRegistry();
    const reference = modelReference(parseRegistry(`${registry.address}/team`), { name: 'model', version: '1' });
    const { node, env, files } = nodeBase();
    const entrypoint = [node, '-p', '6 * 7'];
    await using image = await testImage(engine, reference, { files: files(), env, entrypoint });
    const pushed = await pushImage(engine, { reference, onLine });
    expect(pushed.reference).toBe(`${registry.address}/team/model@${pushed.digest}`);
    await image.remove();
    expect(await findImage(engine, reference)).toBeUndefined();

    const lines: string[] = [];
    const pulled = await ensureImage(engine, pushed.reference, { authFor: nobody, onLine: (line) => lines.push(line) });
    expect(pulled.id).toBe(image.id);
    expect(lines).toContain(`pulling ${pushed.reference}`);
    const container = await runContainer(engine, { Image: pushed.reference, HostConfig: { NetworkMode: 'none' } });
    try {
      await waitForContainer(engine, container);
      expect(await containerLogs(engine, container, 10)).toEqual(['42']);
    } finally {
      await removeContainer(engine, container);
    }
    const ask = (): Promise<never> => Promise.reject(new Error('credentials were asked for'));
    expect(await ensureImage(engine, pushed.reference, { authFor: ask, onLine })).toEqual(pulled);
  });

  test('that has no such image is named', async () => {
    await using registry = await startRegistry();
    const gone = `${registry.address}/team/gone@sha256:${'0'.repeat(64)}`;
    for (const reference of [gone, `${registry.address}/team/gone:1`]) {
      await expect(ensureImage(engine, reference, { authFor: nobody, onLine })).rejects.toMatchObject({
        code: 'E_IMAGE_NOT_FOUND',
        message: expect.stringContaining(`no image ${reference} in the registry ${registry.address}`),
      });
    }
    await expect(pushImage(engine, { reference: `${registry.address}/team/gone:1`, onLine })).rejects.toMatchObject({
      code: 'E_IMAGE_NOT_FOUND',
      message: expect.stringContaining(`no image ${registry.address}/team/gone:1 to push`),
    });
    await expect(ensureImage(engine, `${registry.address}/Team/gone`, { authFor: nobody, onLine })).rejects.toMatchObject({
      code: 'E_INVALID_OPTION',
    });
  });

  test('that has an image for another platform only is told so, and the image is not kept', async () => {
    await using registry = await startRegistry();
    const arch = engine.facts.arch === 'arm64' ? 'amd64' : 'arm64';
    await using image = await testImage(engine, `${registry.address}/team/other:1`, { arch });
    const { reference } = await pushImage(engine, { reference: image.reference, onLine });
    await image.remove();
    await expect(ensureImage(engine, reference, { authFor: nobody, onLine })).rejects.toMatchObject({
      code: 'E_IMAGE_FAILED',
      message: expect.stringMatching(new RegExp(`${reference} is not there for linux/\\w+: it is for linux/${arch}`)),
    });
    expect(await findImage(engine, reference)).toBeUndefined();
    await using _pulled = { [Symbol.asyncDispose]: image.remove };
    const there = await ensureImage(engine, reference, { authFor: nobody, onLine, platform: `linux/${arch}` });
    expect(there.arch).toBe(arch);
  });
});

describeWithRegistry('a registry that asks who it is', () => {
  let engine: DockerEngine;
  beforeAll(async () => {
    engine = await DockerEngine.connect();
  });

  test('refuses a wrong password and no password at once, with the next step', async () => {
    await using registry = await startRegistry({ asks: true });
    await using image = await testImage(engine, `${registry.address}/team/model:1`);
    const { reference } = image;
    const lines: string[] = [];
    const push = (auth?: object) => pushImage(engine, { reference, auth, onLine: (line) => lines.push(line) });
    const refusal = (...parts: readonly string[]) => ({
      code: 'E_REGISTRY_FAILED',
      message: expect.stringMatching(new RegExp(parts.join('.*'), 's')),
    });
    const fix = `\`docker login ${registry.address}\`.*registry: { address: '${registry.address}/team', username, password }`;
    await expect(push({ username: 'alice', password: 'no' })).rejects.toMatchObject(
      refusal(reference, registry.address, 'as "alice"', 'unauthorized', fix),
    );
    await expect(push()).rejects.toMatchObject(refusal('without credentials', 'no basic auth credentials', fix));
    await expect(ensureImage(engine, `${registry.address}/team/x:1`, { authFor: nobody, onLine })).rejects.toMatchObject(
      refusal('pulled from', 'without credentials', fix),
    );
    expect(lines.join('\n')).not.toMatch(/trying again/);
  });

  test('takes a password that was given, one that docker login stored, and one that a helper keeps', async () => {
    await using registry = await startRegistry({ asks: true });
    const { address } = registry;
    await using image = await testImage(engine, `${address}/team/model:1`);
    const { reference } = image;
    const pushAndPull = async (given?: ReturnType<typeof parseRegistry>): Promise<void> => {
      const pushed = await pushImage(engine, { reference, auth: await authFor(reference, given?.auth), onLine });
      await image.remove();
      expect((await ensureImage(engine, pushed.reference, { authFor: authWith(given), onLine })).id).toBe(image.id);
      await image.remove();
      expect((await ensureImage(engine, reference, { authFor: authWith(given), onLine })).id).toBe(image.id);
    };
    {
      await using _user = await dockerUser({});
      await pushAndPull(parseRegistry({ address: `${address}/team`, ...alice }));
    }
    {
      await using _user = await dockerUser({ auths: { [address]: { auth: storedAuth(alice.username, alice.password) } } });
      await pushAndPull();
    }
    const answer = JSON.stringify({ ServerURL: address, Username: alice.username, Secret: alice.password });
    const script = `read -r server; [ "$server" = "${address}" ] && echo '${answer}'`;
    await using _user = await dockerUser({ credHelpers: { [address]: 'xyz' } }, { 'docker-credential-xyz': script });
    await pushAndPull();
  });
  test('gives a base image to those whom the caller speaks for', async () => {
    await using registry = await startRegistry({ asks: true });
    const given = parseRegistry({ address: `${registry.address}/team`, ...alice });
    const { env, files } = nodeBase();
    await using base = await testImage(engine, `${registry.address}/team/node:1`, { files: files(), env });
    await pushImage(engine, { reference: base.reference, auth: given.auth, onLine });
    await base.remove();
    const options = { baseImage: base.reference, onLine };
    await expect(ensureRuntimeImage(engine, { ...options, authFor: nobody })).rejects.toMatchObject({
      code: 'E_REGISTRY_FAILED',
    });
    const runtime = await ensureRuntimeImage(engine, { ...options, authFor: authWith(given) });
    await using _made = { [Symbol.asyncDispose]: () => removeImage(engine, runtime.reference) };
    expect(runtime.layers.slice(0, base.facts.layers.length)).toEqual(base.facts.layers);
  });
});
