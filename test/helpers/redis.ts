import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { freePort } from './registry.ts';
import { temporaryDir } from './temporary-dir.ts';
import { until } from './until.ts';

type TemporaryDir = Awaited<ReturnType<typeof temporaryDir>>;

const program = 'redis-server';
const isInstalled = spawnSync(program, ['--version']).status === 0;

/** Whether tests that need a Redis of their own can run, or must. */
export const hasRedis = isInstalled || process.env.CLIPPER_TEST_DOCKER === 'required';

/** Tests that need a Redis of their own. Where its program is missing they are skipped and say so, or fail as those of Docker. */
export function describeWithRedis(name: string, tests: () => void): void {
  if (hasRedis) describe(name, tests);
  else describe.skip(`${name} (skipped: ${program} is not installed)`, tests);
}

/** A Redis on loopback that keeps nothing on a disk unless `isLasting`. Its process and files go when it is disposed of. */
export class TestRedis implements AsyncDisposable {
  readonly port: number;
  readonly #dir: TemporaryDir;
  readonly #settings: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, dir: TemporaryDir, settings: readonly string[]) {
    this.port = port;
    this.#dir = dir;
    this.#settings = settings;
  }

  /** `settings`: more of redis-server's own. */
  static async start({ isLasting = false, settings = [] as readonly string[] } = {}): Promise<TestRedis> {
    const keeping = ['--save', '', '--appendonly', isLasting ? 'yes' : 'no'];
    const redis = new TestRedis(await freePort(), await temporaryDir(), [...keeping, ...settings]);
    await redis.start();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const where = ['--bind', '127.0.0.1', '--port', String(this.port), '--dir', this.#dir.path];
    this.#process = spawn(program, [...where, ...this.#settings], { stdio: 'ignore' });
    const answers = (): Promise<boolean> =>
      this.ask(0, 'ping').then(
        () => true,
        // It answers, and asks for a password.
        (error: Error) => error.message.startsWith('NOAUTH'),
      );
    await until(answers, `a Redis on port ${this.port}`);
  }

  async stop(): Promise<void> {
    const stopped = this.#process;
    if (stopped === undefined || stopped.exitCode !== null || stopped.signalCode !== null) return;
    const ended = once(stopped, 'exit');
    stopped.kill('SIGCONT');
    stopped.kill('SIGTERM');
    await ended;
  }

  /** SIGSTOP: connections stay, and nothing is answered. SIGCONT: it goes on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(signal);
  }

  /** What a command is answered in a database, as anyone else would ask. */
  async ask(db: number, command: string, ...args: readonly string[]): Promise<unknown> {
    const client = new Redis({ port: this.port, db, retryStrategy: null, maxRetriesPerRequest: 0 });
    client.on('error', () => {});
    try {
      return await client.call(command, ...args);
    } finally {
      client.disconnect();
    }
  }

  /** A whole hash. */
  async hash(db: number, key: string): Promise<Record<string, string>> {
    return (await this.ask(db, 'hgetall', key)) as Record<string, string>;
  }

  /** Every key of a database, sorted. */
  async keys(db: number): Promise<readonly string[]> {
    return ((await this.ask(db, 'keys', '*')) as string[]).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#dir[Symbol.asyncDispose]();
  }
}
