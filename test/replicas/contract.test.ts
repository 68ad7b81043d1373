import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Bundle, bundleClosure } from '../../src/bundle/bundle.ts';
import { putModelImage } from '../../src/image/model-image.ts';
import { ensureRuntimeImage } from '../../src/image/runtime-image.ts';
import { decodeInput, encodeInput } from '../../src/protocol/input-types.ts';
import type { InstanceBackend, ReplicaSource, ReplicaSpec } from '../../src/replicas/backend.ts';
import { DockerBackend } from '../../src/replicas/docker/docker-backend.ts';
import { ProcessBackend } from '../../src/replicas/process/process-backend.ts';
import type { RpcReplica } from '../../src/rpc/rpc-replica.ts';
import { RpcServer } from '../../src/rpc/rpc-server.ts';
import { describeWithDocker } from '../helpers/docker.ts';
import { silentLog } from '../helpers/silent-log.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';
import { until } from '../helpers/until.ts';

interface Opened {
  readonly backend: InstanceBackend;
  /** Makes of a bundle what the backend runs. */
  source(bundle: Bundle): Promise<ReplicaSource>;
}

interface World extends AsyncDisposable {
  readonly backend: InstanceBackend;
  readonly dir: string;
  /** The next replica that announces itself. */
  connected(): Promise<RpcReplica>;
  spec(fn: Function, options?: Partial<ReplicaSpec>): Promise<ReplicaSpec>;
}

type Open = (options: { dir: string; rpc: RpcServer }) => Promise<Opened>;

async function world(open: Open): Promise<World> {
  const dir = await temporaryDir();
  const waiting: ((replica: RpcReplica) => void)[] = [];
  const rpc = await RpcServer.listen({
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    onConnected: (replica) => waiting.shift()?.(replica),
    onLost: () => {},
  });
  const { backend, source } = await open({ dir: dir.path, rpc });
  let bundles = 0;
  return {
    backend,
    dir: dir.path,
    connected: () => new Promise((resolve) => waiting.push(resolve)),
    spec: async (fn, options = {}) => {
      const bundle = await bundleClosure(fn, { outDir: join(dir.path, `bundle-${bundles++}`) });
      const model = {
        modelName: 'm',
        modelVersion: '1',
        inputType: 'doubles',
        env: {},
        resources: {},
        network: 'cluster',
      } as const;
      const spec = { ...model, source: await source(bundle), ...options };
      return backend.prepare(spec, new AbortController().signal);
    },
    [Symbol.asyncDispose]: async () => {
      await backend[Symbol.asyncDispose]();
      await rpc.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}

async function openProcess({ dir, rpc }: { dir: string; rpc: RpcServer }): Promise<Opened> {
  const backend = new ProcessBackend({ dir, rpcHost: '127.0.0.1', rpcPort: rpc.port });
  return { backend, source: async (bundle) => ({ kind: 'bundle', dir: bundle.dir }) };
}

async function openDocker({ dir, rpc }: { dir: string; rpc: RpcServer }): Promise<Opened> {
  const cluster = `contract-${randomUUID().slice(0, 8)}`;
  const listenOn = (address: string): Promise<void> => rpc.alsoListenOn(address);
  const backend = await DockerBackend.open({ cluster, dir, rpcPort: rpc.port, listenOn, log: silentLog });
  const following = { onLine: () => {} };
  return {
    backend,
    source: async (bundle) => {
      const { engine } = backend;
      const runtime = await ensureRuntimeImage(engine, { ...following, baseImage: 'auto', authFor: async () => undefined });
      const model = { name: 'm', version: '1', inputType: 'doubles', bundle } as const;
      const reference = `clipper-ts/${cluster}/m:${bundle.digest.slice(0, 12)}`;
      const { id } = await putModelImage(engine, { ...model, runtime, reference }, following);
      return { kind: 'image', image: id };
    },
  };
}

const numbers = (...values: number[]) => encodeInput(Float64Array.from(values));

function contract(open: Open): void {
  test('runs a bundle that answers, and says who it is', async () => {
    await using cluster = await world(open);
    const next = cluster.connected();
    const spec = await cluster.spec((inputs: Float64Array[]) => inputs.map((xs) => xs.length * 2));
    await cluster.backend.start(spec, 'm-1-0');
    const replica = await next;
    expect([replica.model, replica.inputType, replica.instance]).toEqual(['m:1', 'doubles', 'm-1-0']);
    expect((await replica.predict([numbers(1, 2, 3), numbers()])).outputs).toEqual([
      { text: '6', failed: false },
      { text: '0', failed: false },
    ]);
    expect(decodeInput('doubles', numbers(4))).toEqual(Float64Array.of(4));
  });

  test('gives the function its environment variables, and keeps what it writes', async () => {
    await using cluster = await world(open);
    const next = cluster.connected();
    const greet = (inputs: Float64Array[]) => {
      console.log('seen', inputs.length);
      console.error('said');
      return inputs.map(() => process.env.GREETING);
    };
    const running = await cluster.backend.start(await cluster.spec(greet, { env: { GREETING: 'hello' } }), 'm-1-0');
    const replica = await next;
    expect((await replica.predict([numbers(1)])).outputs).toEqual([{ text: 'hello', failed: false }]);
    // Of two outputs, no backend knows what was written first.
    const lines = ['Serving predictions for doubles input type.', 'said', 'seen 1'];
    const logs = async (tailLines: number) => [...(await cluster.backend.logs('m-1-0', { tailLines }))].sort();
    // An engine has a line a moment after it was written.
    await until(async () => (await logs(10)).length === lines.length, 'the lines');
    expect(await logs(10)).toEqual(lines);
    expect(['said', 'seen 1']).toContain(String(await logs(1)));
    await running.stop();
    expect(await logs(10)).toEqual(lines);
  });

  test('follows what a replica writes, from its last lines to its end', async () => {
    await using cluster = await world(open);
    const next = cluster.connected();
    const speak = (inputs: Float64Array[]) => inputs.map(([x]) => process.stdout.write(`said ${x} é\n`));
    const running = await cluster.backend.start(await cluster.spec(speak), 'm-1-0');
    const replica = await next;
    await replica.predict([numbers(1)]);
    await until(async () => (await cluster.backend.logs('m-1-0', { tailLines: 9 })).length === 2, 'two lines');
    const seen: string[] = [];
    const { signal } = new AbortController();
    const following = (async () => {
      for await (const line of cluster.backend.followLogs('m-1-0', { tailLines: 1, signal })) seen.push(line);
    })();
    await until(() => seen.length === 1, 'the last line');
    await replica.predict([numbers(2)]);
    await until(() => seen.length === 2, 'the next line');
    await replica.predict([numbers(3)]);
    await running.stop();
    await following;
    expect(seen).toEqual(['said 1 é', 'said 2 é', 'said 3 é']);
    const again: string[] = [];
    for await (const line of cluster.backend.followLogs('m-1-0', { tailLines: 2, signal })) again.push(line);
    expect(again).toEqual(['said 2 é', 'said 3 é']);
  });

  test('follows it no longer than is wanted', async () => {
    await using cluster = await world(open);
    const next = cluster.connected();
    await cluster.backend.start(await cluster.spec(() => []), 'm-1-0');
    await next;
    const ended = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const line of cluster.backend.followLogs('m-1-0', { tailLines: 9, signal: ended.signal })) seen.push(line);
    })();
    await until(() => seen.length === 1, 'a line');
    ended.abort();
    await following;
    for await (const line of cluster.backend.followLogs('m-1-0', { tailLines: 9, signal: new AbortController().signal })) {
      expect(line).toContain('Serving');
      break;
    }
  });

  test('stops a replica after it finished its batch', async () => {
    await using cluster = await world(open);
    const next = cluster.connected();
    const slow = async (inputs: Float64Array[]) => {
      await new Promise((resolve) => setTimeout(300, undefined).then(resolve));
      return inputs.map(() => 'finished');
    };
    const running = await cluster.backend.start(await cluster.spec(slow), 'm-1-0');
    const answer = (await next).predict([numbers(1)]);
    await setTimeout(100);
    await running.stop();
    expect((await answer).outputs).toEqual([{ text: 'finished', failed: false }]);
    expect(await running.exited).toEqual({ how: 'exit code 0' });
  });

  test('ends by force what does not stop', async () => {
    await using cluster = await world(open);
    const next = cluster.connected();
    const hang = () => {
      for (;;);
    };
    const running = await cluster.backend.start(await cluster.spec(hang), 'm-1-0');
    const lost = (await next).predict([numbers(1)]).catch(() => 'lost');
    await setTimeout(100);
    await running.stop({ graceMs: 200 });
    expect(await running.exited).toEqual({ how: 'signal SIGKILL' });
    void lost;
  });

  test('tells how a replica ended that can not load, with the reason in its log', async () => {
    await using cluster = await world(open);
    const broken = () => [];
    const spec = await cluster.spec(broken, { env: { NODE_OPTIONS: '--require=/nowhere.cjs' } });
    const running = await cluster.backend.start(spec, 'm-1-0');
    expect(await running.exited).toEqual({ how: 'exit code 1' });
    expect((await cluster.backend.logs('m-1-0', { tailLines: 20 })).join('\n')).toContain('/nowhere.cjs');
  });
}

describe('process backend', () => {
  contract(openProcess);

  test('has each replica write the file that Clipper looks for', async () => {
    await using cluster = await world(openProcess);
    const next = cluster.connected();
    await cluster.backend.start(await cluster.spec(() => []), 'm-1-0');
    await next;
    const file = join(cluster.dir, 'm-1-0', 'model_is_ready.check');
    await until(() => existsSync(file) && readFileSync(file, 'utf8') === 'READY', 'the ready file');
  });

  test('refuses what only containers can do', async () => {
    await using cluster = await world(openProcess);
    const wanted = cluster.spec(() => [], { resources: { memoryMiB: 64 }, network: 'none' });
    await expect(wanted).rejects.toMatchObject({ code: 'E_INVALID_OPTION' });
    await expect(wanted).rejects.toThrow(/resources\.memoryMiB, network: 'none'.*backend: 'docker'/s);
  });
});

describeWithDocker('docker backend', () => contract(openDocker));
