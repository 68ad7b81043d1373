import { setTimeout } from 'node:timers/promises';
import { answering, ask } from '../helpers/asking.ts';
import { startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { startReplica } from '../helpers/replica.ts';
import { startSteeredReplica } from '../helpers/steered-replica.ts';

quietConsole();

const model = { model_name: 'm', model_version: '1' };

describe('a version that was deleted and added again', () => {
  test('gives no answer of before, also where one was being computed', async () => {
    await using cluster = await startCluster();
    await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
    const old = startSteeredReplica({ port: cluster.rpcPort });
    await cluster.replicasConnected(1);
    const known = ask(cluster, 'a', 1);
    (await old.batch(0)).answer('old');
    expect((await known).output).toBe('old1');
    const computing = ask(cluster, 'a', 2);
    const batch = await old.batch(1);
    expect((await cluster.admin('delete_versioned_model', model)).status).toBe(200);
    await cluster.addModel('m', '1');
    // Whoever asks now does not share what was begun before.
    const after = ask(cluster, 'a', 2);
    await setTimeout(20);
    batch.answer('old');
    expect((await computing).output).toBe('old2');
    await using _new = startReplica(answering('new'), { port: cluster.rpcPort });
    await cluster.replicasConnected(2);
    (await old.batch(2)).answer('anew');
    expect((await after).output).toBe('anew2');
    await old[Symbol.asyncDispose]();
    await cluster.replicasConnected(1);
    expect((await ask(cluster, 'a', 1)).output).toBe('new1');
    expect((await ask(cluster, 'a', 3)).output).toBe('new3');
  });
});

test('whoever asks for a version is answered by it alone, while others become current', async () => {
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
  await cluster.addModel('m', '2');
  await using _one = startReplica(
    answering('one ', () => setTimeout(2)),
    { port: cluster.rpcPort },
  );
  await using _two = startReplica(
    answering('two ', () => setTimeout(2)),
    { port: cluster.rpcPort, modelVersion: '2' },
  );
  await cluster.replicasConnected(2);
  const names: Readonly<Record<string, string>> = { 1: 'one', 2: 'two' };
  let isOver = false;
  const load = async (version: string): Promise<number> => {
    let asked = 0;
    // Few numbers, so that most are in the cache or in flight.
    for (; !isOver; asked++) {
      const { output } = await ask(cluster, 'a', asked % 7, version);
      expect(output).toBe(`${names[version]} ${asked % 7}`);
    }
    return asked;
  };
  const loads = ['1', '2', '1', '2'].map(load);
  for (let count = 0; count < 30; count++) {
    const version = String(1 + (count % 2));
    await cluster.admin('set_model_version', { ...model, model_version: version });
    expect((await ask(cluster, 'a', count % 7)).output).toBe(`${names[version]} ${count % 7}`);
    await setTimeout(10);
  }
  isOver = true;
  for (const asked of await Promise.all(loads)) expect(asked).toBeGreaterThan(20);
});
