import { Instances } from '../../src/replicas/instances.ts';

test('those that run are kept, and of those that ended only the last', () => {
  const instances = new Instances();
  instances.add('runs');
  for (let n = 0; n < 1_000; n++) {
    instances.add(`r${n}`);
    instances.ended(`r${n}`, { how: `exit code ${n}` });
  }
  expect([instances.exitOf('r999')?.how, instances.exitOf('r1'), instances.exitOf('runs')]).toEqual([
    'exit code 999',
    undefined,
    undefined,
  ]);
  expect(instances.all).toEqual(['runs', ...Array.from({ length: 50 }, (_, n) => `r${950 + n}`)]);
});
