import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Dockerode from 'dockerode';
import { until } from './until.ts';

export interface OwnEngineOptions {
  /** More of dockerd's own: `--live-restore`. */
  readonly flags?: readonly string[];
  /** Puts its data on a disk of this size. */
  readonly diskMiB?: number;
}

/** A Docker engine of a test's own, beside the machine's, which it leaves alone. */
export class OwnEngine implements AsyncDisposable {
  /** As DOCKER_HOST has it. */
  readonly address: string;
  readonly api: Dockerode;
  readonly #dir: string;
  readonly #flags: readonly string[];
  /** Its default network's device. Without one, or with address pools of its own, it would remove the machine's docker0. */
  readonly #bridge = `own${randomBytes(4).toString('hex')}`;
  #process: ChildProcess | undefined;

  private constructor(dir: string, flags: readonly string[]) {
    this.#dir = dir;
    this.#flags = flags;
    this.address = `unix://${dir}/docker.sock`;
    this.api = new Dockerode({ socketPath: join(dir, 'docker.sock') });
  }

  static async start({ flags = [], diskMiB }: OwnEngineOptions = {}): Promise<OwnEngine> {
    const dir = mkdtempSync(join(tmpdir(), 'own-engine-'));
    mkdirSync(join(dir, 'data'));
    if (diskMiB !== undefined) run('mount', '-t', 'tmpfs', '-o', `size=${diskMiB}m`, 'tmpfs', join(dir, 'data'));
    const engine = new OwnEngine(dir, flags);
    run('ip', 'link', 'add', engine.#bridge, 'type', 'bridge');
    run('ip', 'addr', 'add', `10.214.${randomInt(256)}.1/24`, 'dev', engine.#bridge);
    await engine.start().catch(async (error: unknown) => {
      await engine[Symbol.asyncDispose]();
      throw error;
    });
    return engine;
  }

  /** Starts it, on the data that it had before. */
  async start(): Promise<void> {
    const log = openSync(this.#log, 'a');
    // A killed one leaves these, and the numbers in them may be used again.
    for (const file of ['pid', 'exec/containerd/containerd.pid']) rmSync(join(this.#dir, file), { force: true });
    // It ends with the tests' process, however that ends.
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', 'dockerd', ...this.#arguments()], { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#process = child;
    const answers = async (): Promise<boolean> => {
      if (child.exitCode !== null) throw new Error(`dockerd ended:\n${readFileSync(this.#log, 'utf8').slice(-2_000)}`);
      return this.api.ping().then(
        () => true,
        () => false,
      );
    };
    await until(answers, 'the engine', 30_000);
  }

  /** Ends it as a system does: its containers end with it, unless it has --live-restore. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Ends it by force: its containers run on until it is started again. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
    await until(() => processesOf(`${this.#dir}/exec/containerd/containerd.toml`).length === 0, 'the end of its containerd');
  }

  /** Stops and removes it with all that it made: also when it was left stopped or killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#process?.exitCode !== null || this.#process.signalCode !== null) await this.start();
      await removeAll(this.api);
      await this.stop();
    } finally {
      await this.kill();
      await endProcessesOf(this.#dir);
      spawnSync('ip', ['link', 'del', this.#bridge]);
      for (const mount of mountsBelow(this.#dir)) spawnSync('umount', ['-l', mount]);
      rmSync(this.#dir, { recursive: true, force: true });
    }
  }

  get #log(): string {
    return join(this.#dir, 'log');
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  #arguments(): readonly string[] {
    const places = { 'data-root': 'data', 'exec-root': 'exec', pidfile: 'pid' };
    return [
      ...Object.entries(places).map(([flag, name]) => `--${flag}=${join(this.#dir, name)}`),
      `--host=${this.address}`,
      // The rules for packets are the machine's, and its engine takes them for its own.
      ...[`--bridge=${this.#bridge}`, '--iptables=false', '--ip6tables=false', '--ip-masq=false', '--userland-proxy=false'],
      '--shutdown-timeout=5',
      ...this.#flags,
    ];
  }
}

/** Why tests can't start an engine here; undefined where they can. */
function whyNoOwnEngine(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can start an engine';
  const missing = ['dockerd --version', 'setpriv --version', 'ip -V'].find(
    (command) => spawnSync(command, { shell: true }).status !== 0,
  );
  return missing === undefined ? undefined : `${missing} fails`;
}

/** Tests that need an engine of their own. Where there can be none they are skipped, or fail where CLIPPER_TEST_DOCKER says so. */
export function describeWithOwnEngine(name: string, tests: () => void): void {
  const why = whyNoOwnEngine();
  if (why === undefined || process.env.CLIPPER_TEST_DOCKER === 'required') describe(name, tests);
  else describe.skip(`${name} (skipped: ${why})`, tests);
}

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${stderr}`);
}

/** Its networks are devices of the machine, which would stay. */
async function removeAll(api: Dockerode): Promise<void> {
  for (const { Id } of await api.listContainers({ all: true })) await api.getContainer(Id).remove({ force: true });
  for (const { Id, Name } of await api.listNetworks()) {
    if (!['none', 'host', 'bridge'].includes(Name)) await api.getNetwork(Id).remove();
  }
}

/** Ends what an engine that was killed left running, told by the folder that it was given. */
async function endProcessesOf(dir: string): Promise<void> {
  for (const pid of processesOf(`${dir}/`)) process.kill(pid, 'SIGKILL');
  await until(() => processesOf(`${dir}/`).length === 0, 'the end of its processes');
}

const processesOf = (argument: string): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && commandOf(name).includes(argument))
    .map(Number);

/** Of a process that has ended, nothing. */
function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

const mountsBelow = (dir: string): readonly string[] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${dir}/`))
    .reverse();
