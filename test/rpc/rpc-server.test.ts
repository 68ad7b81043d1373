import { quietConsole } from '../helpers/quiet-console.ts';
import { RawContainer, u32, u64s } from '../helpers/raw-container.ts';
import { startReplica } from '../helpers/replica.ts';
import { listenForReplicas } from '../helpers/rpc.ts';
import { until } from '../helpers/until.ts';

quietConsole();

const input = Uint8Array.of(0, 0, 0, 0, 0, 0, 240, 63);
const lost = expect.objectContaining({ code: 'E_REPLICA_LOST' });

describe('handshake', () => {
  test('a stranger is asked for its metadata, a replica is not', async () => {
    await using rpc = await listenForReplicas();
    using container = new RawContainer(rpc.port);
    await container.heartbeat();
    expect(await container.receive()).toEqual(['', '03000000', '02000000', '01000000']);
    await container.announce({ name: 'iris', version: '2', inputType: '1' });
    await container.heartbeat();
    expect(await container.receive()).toEqual(['', '03000000', '02000000', '00000000']);
    expect(await rpc.replica()).toMatchObject({ model: 'iris:2', inputType: 'integers', replicaId: 0 });
  });

  test('replica ids count from 0 per model version and are used again', async () => {
    await using rpc = await listenForReplicas();
    using first = new RawContainer(rpc.port);
    using second = new RawContainer(rpc.port);
    using other = new RawContainer(rpc.port);
    using third = new RawContainer(rpc.port);
    await first.announce({ extensions: { errors: true, instance: 'first' } });
    await rpc.replica(0);
    await second.announce();
    await rpc.replica(1);
    await other.announce({ version: '2' });
    await rpc.replica(2);
    rpc.server.instanceEnded('first', 'it ended');
    await third.announce();
    await rpc.replica(3);
    expect(rpc.connected.map(({ model, replicaId }) => `${model}:${replicaId}`)).toEqual(['m:1:0', 'm:1:1', 'm:2:0', 'm:1:0']);
  });

  test('a container of another RPC version is refused naming both', async () => {
    await using rpc = await listenForReplicas();
    using container = new RawContainer(rpc.port);
    await container.announce({ name: 'old', rpcVersion: 2 });
    const line = await until(() => rpc.log.find(({ level }) => level === 50), 'an error in the log');
    expect(line.msg).toBe('a container of old:1 was refused: it speaks RPC version 2, the server 3');
    expect(rpc.server.replicas).toEqual([]);
  });
});

describe('predictions', () => {
  test('are carried as the wire format says', async () => {
    await using rpc = await listenForReplicas();
    using container = new RawContainer(rpc.port);
    await container.announce();
    const answered = (await rpc.replica()).predict([input, new Uint8Array(0)]);
    const frames = await container.receive();
    const header = '0300000000000000' + '0200000000000000' + '0800000000000000' + '0000000000000000';
    expect(frames.toSpliced(3, 1)).toEqual([
      '',
      '03000000',
      '01000000',
      '00000000',
      '2000000000000000',
      header,
      '000000000000f03f',
      '',
    ]);
    await container.respond(Buffer.from(frames[3] ?? '', 'hex'), ['1', 'zwei']);
    expect((await answered).outputs).toEqual([
      { text: '1', failed: false },
      { text: 'zwei', failed: false },
    ]);
  });

  test('of one replica are not disturbed by garbage of another peer', async () => {
    await using rpc = await listenForReplicas();
    await using _replica = startReplica(async (_type, inputs) => inputs.map(() => ({ text: 'fine', failed: false })), {
      port: rpc.port,
    });
    const healthy = await rpc.replica();
    using vandal = new RawContainer(rpc.port);
    await vandal.send(Buffer.from('GET / HTTP/1.1'));
    await vandal.send(Buffer.alloc(0));
    await vandal.send(Buffer.alloc(0), Buffer.alloc(3));
    await vandal.send(Buffer.alloc(0), u32(9));
    await vandal.send(Buffer.alloc(0), u32(1), u32(0), u64s(2 ** 40), u64s(2 ** 40));
    await vandal.announce({ inputType: '7' });
    await until(() => rpc.log.filter(({ msg }) => msg === 'a message was ignored').length === 6, 'six messages ignored');
    expect((await healthy.predict([input])).outputs).toEqual([{ text: 'fine', failed: false }]);
    expect(rpc.lost).toEqual([]);
  });

  test('take no answer but their own', async () => {
    await using rpc = await listenForReplicas();
    using container = new RawContainer(rpc.port);
    await container.announce();
    const answered = (await rpc.replica()).predict([input]);
    const messageId = await container.receiveRequest();
    await container.respond(u32((messageId.readUInt32LE() + 1) >>> 0), ['wrong']);
    await container.respond(messageId, ['right']);
    await container.respond(messageId, ['twice']);
    expect((await answered).outputs).toEqual([{ text: 'right', failed: false }]);
    await until(() => rpc.log.filter(({ msg }) => msg === 'an answer to no question was ignored').length === 2, 'two warnings');
  });

  test('fail where the number of outputs is wrong', async () => {
    await using rpc = await listenForReplicas();
    using container = new RawContainer(rpc.port);
    await container.announce();
    const answered = (await rpc.replica()).predict([input, input]);
    await container.respond(await container.receiveRequest(), ['one']);
    await expect(answered).rejects.toThrow('Replica m:1:0 answered 1 outputs to 2 inputs');
  });

  test.each([
    ['no header', []],
    ['a header of another size', [u64s(8), u64s(1, 1)]],
    ['sizes that are wrong', [u64s(32), u64s(1, 99, 0, 5), Buffer.from('text')]],
  ])('fail where the answer has %s', async (_what, frames) => {
    await using rpc = await listenForReplicas();
    using container = new RawContainer(rpc.port);
    await container.announce();
    const answered = (await rpc.replica()).predict([input]);
    await container.send(Buffer.alloc(0), u32(1), await container.receiveRequest(), ...frames);
    await expect(answered).rejects.toMatchObject({ code: 'E_PROTOCOL' });
  });

  test('asked before a replica announced itself again are not confused with those asked since', async () => {
    await using rpc = await listenForReplicas();
    using container = new RawContainer(rpc.port);
    await container.announce();
    const before = (await rpc.replica(0)).predict([input]);
    const early = await container.receiveRequest();
    await container.announce();
    await expect(before).rejects.toEqual(lost);
    const since = (await rpc.replica(1)).predict([input]);
    const late = await container.receiveRequest();
    await container.respond(early, ['old']);
    await container.respond(late, ['new']);
    expect((await since).outputs).toEqual([{ text: 'new', failed: false }]);
  });
});

describe('a lost replica', () => {
  test('fails what it has in flight and all that is asked later once its instance ended', async () => {
    await using rpc = await listenForReplicas();
    using container = new RawContainer(rpc.port);
    await container.announce({ extensions: { errors: true, instance: 'm-1-0' } });
    const replica = await rpc.replica();
    const inFlight = replica.predict([input]);
    await container.receiveRequest();
    rpc.server.instanceEnded('another', 'it ended with code 1');
    expect(rpc.server.replicas).toEqual([replica]);
    rpc.server.instanceEnded('m-1-0', 'it ended with signal SIGKILL');
    const gone = { code: 'E_REPLICA_LOST', message: 'Replica m:1:0 is gone: it ended with signal SIGKILL' };
    await expect(inFlight).rejects.toEqual(expect.objectContaining(gone));
    await expect(replica.predict([input])).rejects.toEqual(expect.objectContaining(gone));
    expect(rpc.lost).toEqual([replica]);
    await container.heartbeat();
    expect(await container.receive()).toEqual(['', '03000000', '02000000', '01000000']);
  });

  test('is noticed when its connection closes, though nobody supervises it', async () => {
    await using rpc = await listenForReplicas();
    using survivor = new RawContainer(rpc.port);
    await survivor.announce();
    await rpc.replica(0);
    const container = new RawContainer(rpc.port);
    await container.announce();
    const inFlight = (await rpc.replica(1)).predict([input]);
    await container.receiveRequest();
    container[Symbol.dispose]();
    await expect(inFlight).rejects.toThrow('Replica m:1:1 is gone: its connection closed');
    expect(rpc.server.replicas.map(({ replicaId }) => replicaId)).toEqual([0]);
  });

  test('is every replica of a server that closes', async () => {
    const rpc = await listenForReplicas();
    using container = new RawContainer(rpc.port);
    await container.announce();
    const inFlight = (await rpc.replica()).predict([input]);
    const failed = expect(inFlight).rejects.toThrow('the server is closing');
    await rpc.server.close();
    await failed;
  });
});

test('a port that is taken is named, with the option to change', async () => {
  await using rpc = await listenForReplicas();
  await expect(listenForReplicas(rpc.port)).rejects.toEqual(
    expect.objectContaining({ code: 'E_PORT_IN_USE', message: expect.stringMatching(/127\.0\.0\.1.*rpcPort/) }),
  );
});
