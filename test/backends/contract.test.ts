import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Backend } from '../../src/backends/backend.ts';
import { ProcessBackend } from '../../src/backends/process-backend.ts';
import { bundleClosure } from '../../src/bundle/bundle.ts';
import { decodeInput, encodeInput } from '../../src/protocol/input-types.ts';
import type { RpcReplica } from '../../src/rpc/rpc-replica.ts';
import { RpcServer } from '../../src/rpc/rpc-server.ts';
import { silentLog } from '../helpers/silent-log.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

interface World extends AsyncDisposable {
  readonly backend: Backend;
  readonly dir: string;
  /** The next replica that announces itself. */
  connected(): Promise<RpcReplica>;
  bundle(fn: Function): Promise<string>;
}

async function world(open: (options: { dir: string; rpcHost: string; rpcPort: number }) => Backend): Promise<World> {
  const dir = await temporaryDir();
  const waiting: ((replica: RpcReplica) => void)[] = [];
  const rpc = await RpcServer.listen({
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    onConnected: (replica) => waiting.shift()?.(replica),
    onLost: () => {},
  });
  const backend = open({ dir: dir.path, rpcHost: '127.0.0.1', rpcPort: rpc.port });
  let bundles = 0;
  return {
    backend,
    dir: dir.path,
    connected: () => new Promise((resolve) => waiting.push(resolve)),
    bundle: async (fn) => (await bundleClosure(fn, { outDir: join(dir.path, `bundle-${bundles++}`) })).dir,
    [Symbol.asyncDispose]: async () => {
      await backend[Symbol.asyncDispose]();
      await rpc.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}

const spec = (bundleDir: string, env: Record<string, string> = {}) =>
  ({ modelName: 'm', modelVersion: '1', inputType: 'doubles', bundleDir, env }) as const;
const numbers = (...values: number[]) => encodeInput(Float64Array.from(values));

describe.each([
  { name: 'process', open: (options: ConstructorParameters<typeof ProcessBackend>[0]) => new ProcessBackend(options) },
])('$name backend', ({ open }) => {
  test('runs a bundle that answers, and says who it is', async () => {
    await using cluster = await world(open);
    const next = cluster.connected();
    const bundle = await cluster.bundle((inputs: Float64Array[]) => inputs.map((xs) => xs.length * 2));
    await cluster.backend.start(spec(bundle), 'm-1-0');
    const replica = await next;
    expect([replica.model, replica.inputType, replica.instance]).toEqual(['m:1', 'doubles', 'm-1-0']);
    expect(await replica.predict([numbers(1, 2, 3), numbers()])).toEqual([
      { text: '6', failed: false },
      { text: '0', failed: false },
    ]);
    expect(decodeInput('doubles', numbers(4))).toEqual(Float64Array.of(4));
  });

  test('gives the function its environment variables, and keeps what it writes', async () => {
    await using cluster = await world(open);
    const next = cluster.connected();
    const bundle = await cluster.bundle((inputs: Float64Array[]) => {
      console.log('seen', inputs.length);
      console.error('said');
      return inputs.map(() => process.env.GREETING);
    });
    await cluster.backend.start(spec(bundle, { GREETING: 'hello' }), 'm-1-0');
    const replica = await next;
    expect(await replica.predict([numbers(1)])).toEqual([{ text: 'hello', failed: false }]);
    const lines = await cluster.backend.logs('m-1-0', { tailLines: 10 });
    expect(lines).toEqual(['Serving predictions for doubles input type.', 'seen 1', 'said']);
    expect(await cluster.backend.logs('m-1-0', { tailLines: 1 })).toEqual(['said']);
    expect(readFileSync(join(cluster.dir, 'm-1-0', 'model_is_ready.check'), 'utf8')).toBe('READY');
  });

  test('stops a replica after it finished its batch', async () => {
    await using cluster = await world(open);
    const next = cluster.connected();
    const bundle = await cluster.bundle(async (inputs: Float64Array[]) => {
      await new Promise((resolve) => setTimeout(300, undefined).then(resolve));
      return inputs.map(() => 'finished');
    });
    const running = await cluster.backend.start(spec(bundle), 'm-1-0');
    const answer = (await next).predict([numbers(1)]);
    await setTimeout(100);
    await running.stop();
    expect(await answer).toEqual([{ text: 'finished', failed: false }]);
    expect(await running.exited).toEqual({ how: 'exit code 0' });
  });

  test('ends by force what does not stop', async () => {
    await using cluster = await world(open);
    const next = cluster.connected();
    const bundle = await cluster.bundle(() => {
      for (;;);
    });
    const running = await cluster.backend.start(spec(bundle), 'm-1-0');
    const lost = (await next).predict([numbers(1)]).catch(() => 'lost');
    await setTimeout(100);
    await running.stop({ graceMs: 200 });
    expect(await running.exited).toEqual({ how: 'signal SIGKILL' });
    void lost;
  });

  test('tells how a replica ended that can not load, with the reason in its log', async () => {
    await using cluster = await world(open);
    const running = await cluster.backend.start(spec(join(cluster.dir, 'nowhere')), 'm-1-0');
    expect(await running.exited).toEqual({ how: 'exit code 1' });
    expect((await cluster.backend.logs('m-1-0', { tailLines: 20 })).join('\n')).toContain('manifest.json');
  });
});
