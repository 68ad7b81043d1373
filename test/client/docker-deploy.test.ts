import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { buildSync } from 'esbuild';
import { DockerEngine } from '../../src/docker/engine.ts';
import { makeLayer } from '../../src/image/layer.ts';
import { putImage } from '../../src/image/put-image.ts';
import {
  type ClipperConnection,
  createEndpoint,
  deployPredictFunction,
  type ProgressEvent,
  startClipper,
} from '../../src/index.ts';
import { packageDir } from '../../src/util/package-files.ts';
import { describeWithDocker } from '../helpers/docker.ts';
import { startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';
import { until } from '../helpers/until.ts';

const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8' }).trim();
const quiet = { inputType: 'doubles', onProgress: () => {} } as const;
const started = (name = `deploy-${randomUUID().slice(0, 8)}`) =>
  startClipper({ name, backend: 'docker', queryPort: 0, managementPort: 0, rpcPort: 0 });

/** The containers of a cluster's replicas, by their ids. */
const replicasOf = ({ cluster }: ClipperConnection): string[] =>
  docker('ps', '-aq', '--filter', 'label=clipper-ts.instance', '--filter', `label=clipper-ts.cluster=${cluster?.name}`)
    .split('\n')
    .filter((id) => id !== '');

describeWithDocker('deploying to Docker', () => {
  test('one call turns a closure into containers that answer, version after version', async () => {
    await using clipper = await started();
    const weights = Float64Array.of(1, 2, 3);
    const stages: ProgressEvent[] = [];
    const predict = (rows: Float64Array[]) =>
      rows.map((row) => row.reduce((sum, x, index) => sum + x * (weights[index] ?? 0), 0));
    const options = { ...quiet, name: 'score', predict, sample: [1, 2, 3], replicas: 2 };
    const endpoint = await createEndpoint(clipper, { ...options, onProgress: (event) => stages.push(event) });
    expect(await clipper.predict('score', [1, 1, 1])).toMatchObject({ output: 6, default: false });
    expect([...new Set(stages.map(({ stage }) => stage))]).toEqual(['capture', 'bundle', 'image', 'start', 'ready']);
    const containers = replicasOf(clipper);
    expect(containers).toHaveLength(2);
    expect(docker('inspect', '-f', '{{.Image}}', containers[0] ?? '')).toBe(endpoint.image);

    const next = await deployPredictFunction(clipper, { ...quiet, name: 'score', predict: (rows) => rows.map(() => 'second') });
    expect(next.version).toBe('2');
    expect(await clipper.predict('score', [1])).toMatchObject({ output: 'second' });
    expect(await clipper.predict('score', [1, 1, 1], { version: 1 })).toMatchObject({ output: 6 });
    await clipper.setModelVersion('score', 1);
    expect(await clipper.predict('score', [1, 1, 1])).toMatchObject({ output: 6 });
  });

  test('keeps the version before when the next one fails, and says what its container wrote', async () => {
    await using clipper = await started();
    await createEndpoint(clipper, { ...quiet, name: 'kept', predictOne: () => 'good' });
    const setup = (): never => {
      throw new Error('no weights here');
    };
    const failing = deployPredictFunction(clipper, { ...quiet, name: 'kept', predictOne: () => 'bad', setup });
    await expect(failing).rejects.toMatchObject({ code: 'E_REPLICA_EXITED' });
    await expect(failing).rejects.toThrow(/exit code 1 .*no weights here/s);
    expect(await clipper.predict('kept', [1])).toMatchObject({ output: 'good' });
    expect(replicasOf(clipper)).toHaveLength(1);
  });

  test('leaves nothing behind', async () => {
    const clipper = await started();
    await createEndpoint(clipper, { ...quiet, name: 'gone', predictOne: () => 1, network: 'none' });
    const name = clipper.cluster?.name ?? '';
    expect(docker('images', '-q', `clipper-ts/${name}/*`)).not.toBe('');
    await clipper.stopAll();
    expect(docker('ps', '-aq', '--filter', `label=clipper-ts.cluster=${name}`)).toBe('');
    expect(docker('network', 'ls', '-q', '--filter', `label=clipper-ts.cluster=${name}`)).toBe('');
    expect(docker('images', '-q', `clipper-ts/${name}/*`)).toBe('');
  });

  test('an image that was built can be run by hand, and deployed', async () => {
    await using clipper = await started();
    const factor = 7;
    const built = await clipper.buildModel({ ...quiet, name: 'built', predict: (rows) => rows.map(([x = 0]) => x * factor) });
    try {
      expect(built).toMatchObject({ version: '1', image: 'clipper/built:1' });
      const where = `CLIPPER_IP=host.docker.internal`;
      const network = `clipper-${clipper.cluster?.name}`;
      const gateway = docker('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Gateway}}', network);
      const byHand = docker(
        ...['run', '-d', '--network', network, '--add-host', `host.docker.internal:${gateway}`, '-e', where],
        ...['-e', `CLIPPER_PORT=${clipper.cluster?.rpcPort}`, built.image],
      );
      try {
        await clipper.registerModel({ name: 'built', version: 1, inputType: 'doubles' });
        await clipper.registerApplication({ name: 'built', inputType: 'doubles', model: 'built' });
        await until(async () => (await clipper.getNumReplicas('built')) === 1, 'the container run by hand');
        expect(await clipper.predict('built', [6])).toMatchObject({ output: 42 });
      } finally {
        docker('rm', '-f', byHand);
      }
      const deployed = await clipper.deployModel({ ...quiet, name: 'built', image: built.image, sample: [1] });
      expect(deployed).toMatchObject({ version: '2', image: built.image });
      expect(await clipper.predict('built', [5])).toMatchObject({ output: 35 });
    } finally {
      docker('rmi', '-f', built.image);
    }
  });

  test('a large closure has the same layers in each version', async () => {
    await using clipper = await started();
    const large = Float64Array.from({ length: 2 ** 18 }, (_, index) => index);
    const predictOne = ([x = 0]: Float64Array) => large[x] ?? 0;
    const first = await createEndpoint(clipper, { ...quiet, name: 'large', predictOne });
    const second = await deployPredictFunction(clipper, { ...quiet, name: 'large', predictOne });
    const layers = (image = '') => docker('inspect', '-f', '{{.RootFS.Layers}}', image);
    expect([second.digest, layers(second.image)]).toEqual([first.digest, layers(first.image)]);
    expect(second.image).not.toBe(first.image);
    expect(await clipper.predict('large', [1_000])).toMatchObject({ output: 1_000 });
  });

  test('makes images for another platform, on a base that is for it', async () => {
    await using clipper = await started();
    const base = `other-platform-${randomUUID().slice(0, 8)}:1`;
    const before = new Set(docker('images', '-q', 'clipper-ts/runtime').split('\n'));
    await putOtherPlatform(base);
    const built = { ...quiet, name: 'other', baseImage: base, platform: 'linux/arm64', predictOne: () => 1 } as const;
    try {
      const { image } = await clipper.buildModel(built);
      expect(docker('inspect', '-f', '{{.Os}}/{{.Architecture}}', image)).toBe('linux/arm64');
      docker('rmi', '-f', image);
      await expect(clipper.buildModel({ ...built, platform: 'windows/amd64' })).rejects.toThrow(/linux\/arm64.*windows/s);
    } finally {
      const made = docker('images', '-q', 'clipper-ts/runtime')
        .split('\n')
        .filter((id) => !before.has(id));
      docker('rmi', '-f', base, ...made);
    }
  });

  test('says that a cluster of processes makes no images', async () => {
    await using clipper = await startedCluster();
    const deploying = createEndpoint(clipper, { ...quiet, name: 'plain', predictOne: () => 1, baseImage: 'node:22' });
    await expect(deploying).rejects.toThrow(/baseImage.*backend: 'docker'/s);
    await expect(clipper.deployModel({ ...quiet, name: 'plain', image: 'x' })).rejects.toThrow(/backend: 'docker'/);
  });

  test('runs a container that the user wrote, with the data of its model', async () => {
    await using dir = await temporaryDir();
    await using clipper = await started();
    const image = `own-container-${randomUUID().slice(0, 8)}`;
    writeOwnContainer(dir.path, image);
    mkdirSync(join(dir.path, 'stored', 'inner'), { recursive: true });
    writeFileSync(join(dir.path, 'blob'), '3');
    symlinkSync('../../blob', join(dir.path, 'stored', 'inner', 'factor.txt'));
    symlinkSync(join(dir.path, 'stored'), join(dir.path, 'data'));
    try {
      const deployed = await clipper.deployModel({
        ...quiet,
        name: 'own',
        image,
        modelPath: join(dir.path, 'data'),
        sample: [1, 2],
      });
      await clipper.registerApplication({ name: 'own', inputType: 'doubles', model: 'own' });
      expect(await clipper.predict('own', [1, 2])).toMatchObject({ output: [3, 6] });
      expect(deployed.version).toBe('1');
      await clipper.setNumReplicas('own', 2);
      await clipper.setNumReplicas('own', 0);
      await setTimeout(100);
      expect(replicasOf(clipper)).toEqual([]);
    } finally {
      docker('rmi', '-f', image);
    }
  });

  test('leaves no image with data of a deploy that failed, and takes no link to a folder elsewhere', async () => {
    await using dir = await temporaryDir();
    await using clipper = await started();
    const image = `own-container-${randomUUID().slice(0, 8)}`;
    writeOwnContainer(dir.path, image);
    const data = join(dir.path, 'data');
    mkdirSync(data);
    try {
      const options = { ...quiet, name: 'own', image, modelPath: data };
      await expect(clipper.deployModel(options)).rejects.toMatchObject({ code: 'E_REPLICA_EXITED' });
      expect(docker('images', '-q', `clipper-ts/${clipper.cluster?.name}/own`)).toBe('');
      symlinkSync(packageDir, join(data, 'elsewhere'));
      await expect(clipper.deployModel(options)).rejects.toThrow(/elsewhere is a link to .*outside/);
    } finally {
      docker('rmi', '-f', image);
    }
  });

  test('says what is wrong with the data of a model, and leaves no image of a deploy that failed', async () => {
    await using dir = await temporaryDir();
    await using clipper = await started();
    const [image = ''] = runtimeImages();
    const deploy = (modelPath: string, rest: object = {}) =>
      clipper.deployModel({ ...quiet, name: 'data', image, modelPath, ...rest });
    const reading = /modelPath \/dev\/null can't be read: it is neither a file nor a folder/;
    await expect(deploy('/dev/null')).rejects.toMatchObject({
      code: 'E_INVALID_OPTION',
      message: expect.stringMatching(reading),
    });
    writeFileSync(join(dir.path, 'large'), '');
    truncateSync(join(dir.path, 'large'), 2 ** 31);
    const since = performance.now();
    await expect(deploy(dir.path, { signal: AbortSignal.timeout(200) })).rejects.toMatchObject({ code: 'E_CANCELLED' });
    expect(performance.now() - since).toBeLessThan(3_000);
    // There is no closure in it.
    truncateSync(join(dir.path, 'large'), 1);
    await expect(deploy(dir.path)).rejects.toMatchObject({ code: 'E_REPLICA_EXITED' });
    expect(docker('images', '-q', `clipper-ts/${clipper.cluster?.name}/*`)).toBe('');
  });

  test('takes more of env than fits into the address of a request', async () => {
    await using clipper = await started();
    const env = Object.fromEntries(Array.from({ length: 13 }, (_, index) => [`PART_${index}`, 'x'.repeat(100_000)]));
    const predictOne = () => process.env.PART_12?.length;
    await createEndpoint(clipper, { ...quiet, name: 'env', predictOne, env });
    expect(await clipper.predict('env', [1])).toMatchObject({ output: 100_000 });
  });

  test('says what a container can have, and shows the log of one that ends on the sample', async () => {
    await using clipper = await started();
    const deploy = (options: object) =>
      deployPredictFunction(clipper, { ...quiet, name: 'odd', predictOne: () => 1, ...options });
    await expect(deploy({ resources: { memoryMiB: 1 } })).rejects.toThrow(
      /resources\.memoryMiB must be from 6 to the \d+ .*got 1/,
    );
    await expect(deploy({ resources: { cpus: 1e-9 } })).rejects.toMatchObject({ code: 'E_INVALID_OPTION' });
    await expect(deploy({ resources: { gpus: 1 } })).rejects.toThrow(/Fix: install NVIDIA's container toolkit/);
    await expect(deploy({ env: { 'A=B': 'x' } })).rejects.toThrow(/env\.A=B: .*no "="/s);
    await expect(deploy({ baseImage: '../../containers/json' })).rejects.toMatchObject({ code: 'E_INVALID_OPTION' });
    const leaving = () => {
      console.log('about to leave');
      process.exit(4);
    };
    const left = deploy({ predictOne: leaving, sample: [1] });
    await expect(left).rejects.toMatchObject({ code: 'E_SAMPLE_FAILED', message: expect.stringContaining('about to leave') });
    expect(replicasOf(clipper)).toEqual([]);
  });

  test('says which image is not there', async () => {
    await using clipper = await started();
    const deploying = clipper.deployModel({ ...quiet, name: 'none', image: '127.0.0.1:1/nowhere/image:1' });
    await expect(deploying).rejects.toThrow(/127\.0\.0\.1:1\/nowhere\/image:1/);
    expect(await clipper.getAllModels()).toEqual([]);
  });
});

/** A base image for another kind of machine, with a program called Node. */
async function putOtherPlatform(reference: string): Promise<void> {
  const layers = [await makeLayer([{ path: 'usr/bin/node', content: Buffer.from('for another machine'), mode: 0o755 }])];
  const settings = { env: { PATH: '/usr/bin' }, labels: {} };
  const plan = { reference, platform: { os: 'linux', arch: 'arm64' }, below: undefined, layers, settings } as const;
  await putImage(await DockerEngine.connect(), plan, { onLine: () => {} });
}

/** Those that this machine can run. */
function runtimeImages(): string[] {
  const known = docker('inspect', '-f', '{{.Architecture}} {{.Id}}', ...docker('images', '-q', 'clipper-ts/runtime').split('\n'));
  const arch = docker('version', '-f', '{{.Server.Arch}}');
  return known.split('\n').flatMap((line) => (line.startsWith(`${arch} `) ? [line.slice(arch.length + 1)] : []));
}

/** A container as the documentation shows it, on the image that replicas of closures have. */
function writeOwnContainer(dir: string, image: string): void {
  const program = `
    import { readFileSync } from 'node:fs';
    import { ModelContainer, RPCService } from 'clipper-ts/runtime';
    const factor = Number(readFileSync(process.env.CLIPPER_MODEL_PATH + '/inner/factor.txt', 'utf8'));
    class Scaler extends ModelContainer {
      override predictDoubles(inputs: readonly Float64Array[]) {
        return inputs.map((xs) => Array.from(xs, (x) => x * factor));
      }
    }
    void new RPCService().start(new Scaler());`;
  const stdin = { contents: program, resolveDir: packageDir, loader: 'ts' } as const;
  buildSync({ stdin, bundle: true, platform: 'node', external: ['zeromq'], outfile: join(dir, 'scaler.cjs'), logLevel: 'error' });
  const [base = ''] = runtimeImages();
  writeFileSync(
    join(dir, 'Dockerfile'),
    `FROM ${base}\nUSER root\nCOPY scaler.cjs /clipper/scaler.cjs\nENTRYPOINT ["node", "/clipper/scaler.cjs"]\n`,
  );
  docker('build', '-q', '-t', image, dir);
}
