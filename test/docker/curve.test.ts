import { createEndpoint } from '../../src/client/deploy.ts';
import { useDockerHost } from '../helpers/docker-host.ts';
import { describeWithOwnEngine, OwnEngine } from '../helpers/own-engine.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';

describeWithOwnEngine('containers', () => {
  test('speak encrypted RPC where the cluster does', async () => {
    await using engine = await OwnEngine.start();
    using _host = useDockerHost(engine.address);
    await using clipper = await startedCluster({ backend: 'docker', rpcSecurity: 'curve' });
    const factor = 3;
    const predictOne = ([x = 0]: Float64Array) => x * factor;
    await createEndpoint(clipper, { ...quiet, name: 'triple', inputType: 'doubles', predictOne, sample: [1] });
    expect(await clipper.predict('triple', [14])).toMatchObject({ output: 42, default: false });
  }, 120_000);
});
