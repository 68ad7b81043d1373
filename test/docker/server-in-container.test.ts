import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { DockerEngine } from '../../src/docker/engine.ts';
import { ensureRuntimeImage } from '../../src/image/runtime-image.ts';
import { connectClipper, createEndpoint } from '../../src/index.ts';
import { packageDir } from '../../src/util/package-files.ts';
import { describeWithDocker } from '../helpers/docker.ts';
import { until } from '../helpers/until.ts';

const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8' }).trim();
const socket = '/var/run/docker.sock';

describeWithDocker('a server that runs in a container itself', () => {
  test('has its replicas beside it on the same engine, adopts them when it is killed and started again, and takes them away when it ends', async () => {
    const name = `inside-${randomUUID().slice(0, 8)}`;
    const engine = await DockerEngine.connect();
    const base = { baseImage: 'auto', onLine: () => {}, authFor: async () => undefined };
    const { reference: image } = await ensureRuntimeImage(engine, base);
    docker('network', 'create', name);
    const token = 'a-token-for-tests';
    const addresses = { host: '0.0.0.0', managementHost: '0.0.0.0' };
    const ports = { queryPort: 1337, managementPort: 1338, rpcPort: 7000 };
    const limits = {
      cacheBytes: 0,
      maxBodyBytes: 2 ** 20,
      maxConnections: 100,
      stateDir: '/tmp',
      removeStateDir: false,
      detached: true,
    };
    const options = { name, backend: 'docker', ...addresses, token, ...ports, ...limits };
    const server = docker(
      ...[
        'run',
        '-d',
        '--init',
        '--user',
        '0',
        '--network',
        name,
        '-v',
        `${socket}:${socket}`,
        '-v',
        `${packageDir}:${packageDir}:ro`,
      ],
      ...['--entrypoint', 'node', image, `${packageDir}/dist/server.js`, JSON.stringify(options)],
    );
    try {
      const addressOf = () => docker('inspect', '-f', `{{(index .NetworkSettings.Networks "${name}").IPAddress}}`, server);
      const clipper = await until(
        () => connectClipper({ host: addressOf(), token }).catch(() => undefined),
        'the server in its container',
      );
      const factor = 3;
      await createEndpoint(clipper, {
        name: 'inside',
        inputType: 'doubles',
        predict: (rows) => rows.map(([x = 0]) => x * factor),
        sample: [1],
        onProgress: () => {},
      });
      expect(await clipper.predict('inside', [14])).toMatchObject({ output: 42, default: false });
      const isolated = { name: 'alone', inputType: 'doubles', network: 'none', onProgress: () => {} } as const;
      await createEndpoint(clipper, { ...isolated, predictOne: () => 'reached' });
      expect(await clipper.predict('alone', [1])).toMatchObject({ output: 'reached' });
      const replicas = () =>
        docker('ps', '-q', '--filter', `label=clipper-ts.instance`, '--filter', `label=clipper-ts.cluster=${name}`);
      const before = replicas();
      docker('kill', server);
      docker('start', server);
      const again = await until(
        () => connectClipper({ host: addressOf(), token }).catch(() => undefined),
        'the server in its container',
      );
      const isServed = async (): Promise<boolean> =>
        (await again.predict('inside', [2])).output === 6 && (await again.predict('alone', [2])).output === 'reached';
      await until(isServed, 'the replicas of before', 5_000);
      expect(replicas()).toBe(before);
      docker('stop', server);
      const left = (kind: string) => docker(kind, 'ls', '-q', '--filter', `label=clipper-ts.cluster=${name}`);
      expect([docker('ps', '-aq', '--filter', `label=clipper-ts.cluster=${name}`), left('network')]).toEqual(['', '']);
      // Its state is kept, and so is what its replicas are started from.
      const images = docker('images', '-q', `clipper-ts/${name}/*`).split('\n');
      expect(images).toHaveLength(2);
      docker('rmi', '-f', ...images);
    } catch (error) {
      throw new Error(`${String(error)}\n${docker('logs', server)}`, { cause: error });
    } finally {
      docker('rm', '-f', server);
      docker('network', 'rm', name);
    }
  });
});
