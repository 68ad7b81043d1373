import { randomUUID } from 'node:crypto';
import { request as ask, createServer } from 'node:http';
import { join } from 'node:path';
import Dockerode from 'dockerode';
import { createEndpoint } from '../../src/client/deploy.ts';
import { describeWithDocker } from '../helpers/docker.ts';
import { useDockerHost } from '../helpers/docker-host.ts';
import { thingsOf } from '../helpers/main-engine.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';
import { until } from '../helpers/until.ts';

/** A way to the engine on which the answers to some requests are lost. */
async function lossyEngine(isLost: (path: string) => boolean): Promise<{ address: string } & AsyncDisposable> {
  const modem = new Dockerode().modem as unknown as { getSocketPath(): Promise<string> };
  const engine = await modem.getSocketPath();
  const dir = await temporaryDir();
  const path = join(dir.path, 'docker.sock');
  const server = createServer((request, response) => {
    const { method, headers, url = '' } = request;
    const forwarded = ask({ socketPath: engine, method, headers, path: url }, (answer) => {
      if (isLost(url)) {
        request.socket.destroy();
        return;
      }
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
    });
    forwarded.on('error', () => request.socket.destroy());
    response.on('close', () => forwarded.destroy());
    request.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    address: `unix://${path}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}

describeWithDocker('a container whose start was done but not answered', () => {
  test.each(['create', 'start'])('is not left beside the one that is started in its place, lost at its %s', async (step) => {
    const name = `lossy-${randomUUID().slice(0, 8)}`;
    let left = 0;
    await using engine = await lossyEngine((path) => path.split('?')[0]?.endsWith(`/${step}`) === true && left-- > 0);
    using _ = useDockerHost(engine.address);
    await using clipper = await startedCluster({ backend: 'docker', name });
    const predictOne = ([x = 0]: Float64Array) => x * 2;
    await createEndpoint(clipper, { name: 'm', inputType: 'doubles', predictOne, ...quiet });
    const [first] = (await thingsOf(name)).containers;
    left = 1;
    await new Dockerode().getContainer(first?.Id ?? '').kill();
    const settled = async (): Promise<boolean> => {
      const { containers } = await thingsOf(name);
      const [only] = containers;
      return left < 1 && containers.length === 1 && only?.State === 'running' && only.Id !== first?.Id;
    };
    await until(settled, 'one container');
    await until(async () => (await clipper.getNumReplicas('m')) === 1, 'one replica');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect([await settled(), await clipper.getNumReplicas('m')]).toEqual([true, 1]);
    expect((await clipper.predict('m', [4])).output).toBe(8);
  });
});
