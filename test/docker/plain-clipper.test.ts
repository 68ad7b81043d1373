import { createEndpoint } from '../../src/client/deploy.ts';
import { connectClipper } from '../../src/client/start.ts';
import { describeWithDocker } from '../helpers/docker.ts';
import { nothing, thingsOf } from '../helpers/main-engine.ts';
import { startPlainClipper } from '../helpers/plain-clipper.ts';
import { eventually, quiet } from '../helpers/started-cluster.ts';

describeWithDocker('containers for a server that starts none', () => {
  test('serve a function there, are scaled, and go with the connection', async () => {
    await using plain = await startPlainClipper({ host: '0.0.0.0' });
    const { managementUrl, queryUrl, rpcAddress } = plain;
    const clipper = await connectClipper({ managementUrl, queryUrl, rpcAddress, backend: 'docker' });
    const cluster = clipper.ownReplicas?.cluster ?? '';
    try {
      const predict = (inputs: readonly Float64Array[]) => inputs.map(([x = 0]) => [x * 2, process.getuid?.()]);
      const endpoint = await createEndpoint(clipper, { name: 'm', inputType: 'doubles', predict, replicas: 2, ...quiet });
      expect((await endpoint.predict([21])).output).toEqual([42, 65_532]);
      expect((await thingsOf(cluster)).containers).toHaveLength(2);
      await clipper.setNumReplicas('m', 1);
      await eventually(async () => (await clipper.getNumReplicas('m')) === 1);
      expect((await clipper.getLogs()).join('\n')).toContain('Serving predictions for doubles');
    } finally {
      await clipper.close();
    }
    expect(await thingsOf(cluster)).toEqual(nothing);
    await eventually(async () => (await plain.cluster.admin('get_all_containers')).json.length === 0);
  });
});
