import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createEndpoint, startClipper } from '../../src/index.ts';
import { alice, describeWithRegistry, startRegistry } from '../helpers/registry.ts';

const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8' }).trim();
const quiet = { inputType: 'doubles', onProgress: () => {} } as const;
const started = () =>
  startClipper({
    name: `registry-${randomUUID().slice(0, 8)}`,
    backend: 'docker',
    queryPort: 0,
    managementPort: 0,
    rpcPort: 0,
  });

describeWithRegistry('deploying through a registry', () => {
  test('runs what was pushed, by its digest, and leaves it in the registry only', async () => {
    await using registry = await startRegistry({ asks: true });
    const clipper = await started();
    const options = { ...quiet, name: 'pushed', predictOne: () => 'from the registry' };
    await expect(createEndpoint(clipper, { ...options, registry: `${registry.address}/team` })).rejects.toThrow(/docker login/);
    const given = { address: `${registry.address}/team`, ...alice };
    const { image } = await createEndpoint(clipper, { ...options, registry: given });
    expect(image).toMatch(new RegExp(`^${registry.address}/team/pushed@sha256:[0-9a-f]{64}$`));
    expect(await clipper.predict('pushed', [1])).toMatchObject({ output: 'from the registry' });
    await clipper.stopAll();
    expect(docker('images', '-q', '--filter', 'label=clipper-ts.model=pushed')).toBe('');
    expect(docker('images', '--digests', '--format', '{{.Repository}}')).not.toContain(registry.address);
  });

  test('an image that was built and pushed is pulled where it is deployed', async () => {
    await using registry = await startRegistry();
    await using clipper = await started();
    const built = await clipper.buildModel({ ...quiet, name: 'built', registry: registry.address, predictOne: () => 'pulled' });
    docker('rmi', '-f', built.id);
    await clipper.deployModel({ ...quiet, name: 'built', image: built.image });
    await clipper.registerApplication({ name: 'built', inputType: 'doubles', model: 'built' });
    expect(await clipper.predict('built', [1])).toMatchObject({ output: 'pulled' });
  });
});
