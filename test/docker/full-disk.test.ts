import { deployPredictFunction } from '../../src/client/deploy.ts';
import { useDockerHost } from '../helpers/docker-host.ts';
import { nothing, thingsOf } from '../helpers/main-engine.ts';
import { describeWithOwnEngine, OwnEngine } from '../helpers/own-engine.ts';
import { quiet, startedCluster } from '../helpers/started-cluster.ts';

describeWithOwnEngine('an engine whose disk is full', () => {
  test('fails a deploy with what to do', async () => {
    await using engine = await OwnEngine.start({ diskMiB: 60 });
    using _ = useDockerHost(engine.address);
    await using clipper = await startedCluster({ backend: 'docker', name: 'full' });
    const predictOne = ([x = 0]: Float64Array) => x;
    await expect(deployPredictFunction(clipper, { name: 'm', inputType: 'doubles', predictOne, ...quiet })).rejects.toMatchObject(
      {
        code: 'E_IMAGE_FAILED',
        message: expect.stringMatching(/no space left.*Fix: .*docker system df.*docker system prune/s),
      },
    );
    await clipper.close();
    expect(await thingsOf('full', engine.api)).toEqual(nothing);
  });
});
