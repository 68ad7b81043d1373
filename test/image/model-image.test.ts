import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bundle, bundleClosure } from '../../src/bundle/bundle.ts';
import { containerLogs } from '../../src/docker/container-logs.ts';
import { removeContainer, runContainer, waitForContainer } from '../../src/docker/containers.ts';
import { DockerEngine } from '../../src/docker/engine.ts';
import { findImage, type ImageFacts, removeImage } from '../../src/docker/images.ts';
import { type LayerFile, makeLayer } from '../../src/image/layer.ts';
import { putModelImage } from '../../src/image/model-image.ts';
import { nodeBase } from '../../src/image/node-base.ts';
import { buildClassic, putImage } from '../../src/image/put-image.ts';
import { ensureRuntimeImage, type RuntimeImage } from '../../src/image/runtime-image.ts';
import { runtimeFiles } from '../../src/image/runtime-layer.ts';
import { describeWithDocker } from '../helpers/docker.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

const repository = `clipper-test-${randomUUID().slice(0, 8)}`;
const lines: string[] = [];
const following = { onLine: (line: string) => lines.push(line) };
const base = { ...following, authFor: async () => undefined };

/** Runs an image's Node, as a replica would be run, and gives what it prints. */
async function run(engine: DockerEngine, image: string, code: string): Promise<string> {
  const limits = { ReadonlyRootfs: true, CapDrop: ['ALL'], NetworkMode: 'none', Tmpfs: { '/tmp': '' } };
  const id = await runContainer(engine, { Image: image, Entrypoint: ['node', '-p', code], HostConfig: limits });
  try {
    await waitForContainer(engine, id);
    return (await containerLogs(engine, id, 1_000)).join('\n');
  } finally {
    await removeContainer(engine, id);
  }
}

describeWithDocker('images of models', () => {
  let engine: DockerEngine;
  let runtime: RuntimeImage;
  let dir: Awaited<ReturnType<typeof temporaryDir>>;
  let bundle: Bundle;
  const factor = Float64Array.from({ length: 2_000 }, (_, index) => index);
  const scaled = (rows: Float64Array[]) => rows.map(([x = 0]) => x * (factor[2] ?? 0));
  const model = { name: 'm', version: '3', inputType: 'doubles' } as const;
  const reference = (tag: string): string => `${repository}:${tag}`;

  beforeAll(async () => {
    engine = await DockerEngine.connect();
    runtime = await ensureRuntimeImage(engine, { ...base, baseImage: 'auto' });
    dir = await temporaryDir();
    bundle = await bundleClosure(scaled, { outDir: join(dir.path, 'bundle') });
  });
  afterAll(async () => {
    for (const tag of ['a', 'b', 'built', 'bare', 'on-named', 'named', 'fake', 'musl']) await removeImage(engine, reference(tag));
    await dir[Symbol.asyncDispose]();
  });

  test('the same closure gives the same image, under whatever name', async () => {
    const first = await putModelImage(engine, { ...model, bundle, runtime, reference: reference('a') }, following);
    const again = await bundleClosure(scaled, { outDir: join(dir.path, 'again') });
    const second = await putModelImage(engine, { ...model, bundle: again, runtime, reference: reference('b') }, following);
    expect(second.id).toBe(first.id);
    expect(second.tags).toEqual(expect.arrayContaining([reference('a'), reference('b')]));
  });

  test('a large bundle that the engine has is not read again', async () => {
    const large = Float64Array.from({ length: 2 ** 18 }, () => Math.random());
    const outDir = join(dir.path, 'large');
    const sent = await bundleClosure((rows: Float64Array[]) => rows.map(([x = 0]) => large[x]), { outDir });
    const first = await putModelImage(engine, { ...model, bundle: sent, runtime, reference: reference('a') }, following);
    await rm(outDir, { recursive: true });
    const next = { ...model, version: '4', bundle: sent, runtime, reference: reference('b') };
    const second = await putModelImage(engine, next, following);
    expect([second.layers, second.labels['clipper-ts.version']]).toEqual([first.layers, '4']);
    expect(second.id).not.toBe(first.id);
  });

  test('is small, says what it is, and holds its bill of materials', async () => {
    const image = await putModelImage(engine, { ...model, bundle, runtime, reference: reference('a') }, following);
    const lower = (await findImage(engine, runtime.reference)) as ImageFacts;
    expect(image.bytes).toBeLessThan(130 * 2 ** 20);
    expect(image.bytes - lower.bytes).toBeLessThan(2 ** 20);
    expect(image.labels).toMatchObject({
      'org.opencontainers.image.title': 'm',
      'org.opencontainers.image.version': '3',
      'org.opencontainers.image.created': '1970-01-01T00:00:00.000Z',
      'clipper-ts.bundle': bundle.digest,
      'clipper-ts.input-type': 'doubles',
    });
    const bill = JSON.parse(await run(engine, image.id, 'require("fs").readFileSync("/clipper/sbom.cdx.json", "utf8")'));
    expect(bill).toMatchObject({ bomFormat: 'CycloneDX' });
    const parts = bill.components.map(({ purl }: { purl: string }) => purl);
    expect(parts).toEqual(
      expect.arrayContaining([`pkg:generic/node@${process.versions.node}`, expect.stringContaining('pkg:npm/zeromq@')]),
    );
  });

  test('the runtime adds less than 8 MiB to the base', async () => {
    const printed = await run(
      engine,
      runtime.reference,
      'require("child_process").execFileSync("node", ["-p", "1"]).toString().trim()',
    );
    expect(printed).toBe('1');
    const sizes = execFileSync('docker', ['history', '--no-trunc', '--format', '{{.Size}}', '--human=false', runtime.reference], {
      encoding: 'utf8',
    });
    const [added, ofNode] = sizes.trim().split('\n').map(Number);
    expect(added).toBeLessThan(8 * 2 ** 20);
    expect(ofNode).toBeGreaterThan(50 * 2 ** 20);
  });

  test.each(['load', 'build'] as const)('works the same however it was put into the engine: %s', async (how) => {
    const loaded = await putModelImage(engine, { ...model, bundle, runtime, reference: reference('a') }, following);
    let { id } = loaded;
    if (how === 'build') {
      const layers = [await makeLayer([{ path: 'model/marker "$x".txt', content: Buffer.from('here') }])];
      const settings = { env: { SPACED: 'a "b" $c\\' }, labels: { odd: 'x "y" $z\\' } };
      const below = { reference: reference('a'), layers: loaded.layers, config: loaded.config };
      await buildClassic(
        engine,
        { reference: reference('built'), platform: runtime.platform, below, layers, settings },
        following,
      );
      const built = (await findImage(engine, reference('built'))) as ImageFacts;
      expect(built.labels).toMatchObject({ odd: 'x "y" $z\\', 'clipper-ts.bundle': bundle.digest });
      expect(built.env).toEqual(expect.arrayContaining(['SPACED=a "b" $c\\', 'CLIPPER_MODEL_NAME=m']));
      expect(await run(engine, built.id, 'require("fs").readFileSync("/model/marker \\"$x\\".txt", "utf8")')).toBe('here');
      ({ id } = built);
    }
    const code =
      'import("/model/closure.mjs").then((m) => console.log(m.default([[21]])[0], process.getuid(), process.env.CLIPPER_MODEL_VERSION)); ""';
    expect(await run(engine, id, code)).toContain('42 65532 3');
  });

  test('an engine that builds can build the base of the running Node too', async () => {
    const { files, env, libc } = nodeBase();
    const layers = [await makeLayer(files()), await makeLayer(runtimeFiles({ arch: process.arch, libc }))];
    const program = { entrypoint: ['node', '-p', '6 * 7'], user: '65532:65532', workingDir: '/tmp' };
    const plan = { reference: reference('built'), platform: runtime.platform, below: undefined, layers };
    await buildClassic(engine, { ...plan, settings: { env, labels: {}, program } }, following);
    const code = 'require("/clipper/node_modules/zeromq").version + " " + require("os").userInfo().username';
    expect(await run(engine, reference('built'), code)).toMatch(/^4\.\d+\.\d+ clipper$/);
  });

  test('can be made on an image with Node, and says so of one without', async () => {
    const node = await findImage(engine, runtime.reference);
    const below = { reference: runtime.reference, layers: runtime.layers, config: runtime.config };
    const settings = { env: { MINE: 'kept', NODE_VERSION: process.versions.node }, labels: {} };
    const layers = [await makeLayer([{ path: 'marker', content: Buffer.from('mine') }])];
    await putImage(engine, { reference: reference('named'), platform: runtime.platform, below, layers, settings }, following);
    const onNamed = await ensureRuntimeImage(engine, { ...base, baseImage: reference('named') });
    try {
      expect(onNamed).toMatchObject({ node: '/usr/local/bin/node', libc: runtime.libc, nodeVersion: process.versions.node });
      expect(onNamed.layers.length).toBe((node?.layers.length ?? 0) + 2);
      const image = await putModelImage(
        engine,
        { ...model, bundle, runtime: onNamed, reference: reference('on-named') },
        following,
      );
      expect(await run(engine, image.id, 'require("fs").readFileSync("/marker", "utf8") + process.env.MINE')).toBe('minekept');
    } finally {
      await removeImage(engine, reference('on-named'));
      await removeImage(engine, onNamed.reference);
    }
    await put('bare', [{ path: 'bin/sh', content: Buffer.from('') }]);
    const failing = ensureRuntimeImage(engine, { ...base, baseImage: reference('bare') });
    await expect(failing).rejects.toThrow(/has no Node.*Fix: name an image with Node/s);
  });

  test('gets the add-on for the C library and the processor of its base, also of another platform', async () => {
    const fake: LayerFile = { path: 'usr/bin/node', content: Buffer.from('no program'), mode: 0o755 };
    await put('musl', [fake, { path: 'lib/ld-musl-x86_64.so.1', content: Buffer.from('') }], 'amd64');
    await put('fake', [fake], 'arm64');
    const musl = await ensureRuntimeImage(engine, { ...base, baseImage: reference('musl') });
    const arm = await ensureRuntimeImage(engine, {
      ...base,
      baseImage: reference('fake'),
      platform: { os: 'linux', arch: 'arm64' },
    });
    try {
      expect([musl.libc, arm.libc, arm.platform.arch, arm.node]).toEqual(['musl', 'glibc', 'arm64', '/usr/bin/node']);
      expect(addonOf(musl.reference).toString('latin1')).toContain('libc.musl-x86_64');
      // The machine's number in the head of an executable: 183 is AArch64.
      expect(addonOf(arm.reference).readUInt16LE(18)).toBe(183);
    } finally {
      for (const each of [musl, arm]) await removeImage(engine, each.reference);
    }
    const wrong = ensureRuntimeImage(engine, { ...base, baseImage: reference('fake') });
    await expect(wrong).rejects.toThrow(new RegExp(`${reference('fake')}.*linux/arm64`, 's'));
  });

  async function put(tag: string, files: readonly LayerFile[], arch = runtime.platform.arch): Promise<void> {
    const layers = [await makeLayer(files)];
    const settings = { env: { PATH: '/usr/bin:/bin' }, labels: {} };
    await putImage(
      engine,
      { reference: reference(tag), platform: { os: 'linux', arch }, below: undefined, layers, settings },
      following,
    );
  }
});

/** ZeroMQ's add-on in an image, taken out with the Docker command. */
function addonOf(image: string): Buffer {
  const id = execFileSync('docker', ['create', image], { encoding: 'utf8' }).trim();
  try {
    const archive = execFileSync('docker', ['cp', `${id}:/clipper/node_modules/zeromq/build/addon.node`, '-'], {
      maxBuffer: 2 ** 26,
    });
    return archive.subarray(512);
  } finally {
    execFileSync('docker', ['rm', id]);
  }
}
