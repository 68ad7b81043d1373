import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ClipperError } from '../../errors.ts';
import { replicaProgram } from '../../util/package-files.ts';
import {
  clipperVariables,
  type FollowLogsOptions,
  type InstanceBackend,
  type ReplicaExit,
  type ReplicaSpec,
  type RunningReplica,
} from '../backend.ts';
import { LogFile } from './log-file.ts';

const defaultGraceMs = 5_000;
const logCheckMs = 5_000;

export interface ProcessBackendOptions {
  /** The folder for logs and ready files. */
  readonly dir: string;
  /** The RPC server's address as replicas see it. */
  readonly rpcHost: string;
  readonly rpcPort: number;
  /** Whether the server understands our extensions to Clipper's RPC. Default: yes. */
  readonly extensions?: boolean;
  /** The server's public key, if RPC is encrypted. */
  readonly serverKey?: string | undefined;
}

/** Runs replicas as child processes of the server. They end when it ends, even if it is killed. */
export class ProcessBackend implements InstanceBackend {
  readonly name = 'process';
  readonly #options: ProcessBackendOptions;
  readonly #running = new Map<string, { readonly replica: RunningReplica; readonly log: LogFile }>();
  readonly #logCheck: NodeJS.Timeout;

  constructor(options: ProcessBackendOptions) {
    this.#options = options;
    this.#logCheck = setInterval(() => void this.#trimLogs(), logCheckMs).unref();
  }

  async prepare(spec: ReplicaSpec): Promise<ReplicaSpec> {
    const { source, resources, network } = spec;
    const limits = Object.entries(resources).filter(([, value]) => value !== undefined);
    const asked = [
      ...(source.kind === 'bundle' ? [] : ['images']),
      ...limits.map(([name]) => `resources.${name}`),
      ...(network === 'cluster' ? [] : [`network: '${network}'`]),
    ];
    if (asked.length === 0) return spec;
    const message = `The cluster runs its replicas as processes, which have no ${asked.join(', ')}`;
    throw new ClipperError('E_INVALID_OPTION', message, { fix: "startClipper({ backend: 'docker' })" });
  }

  async start(spec: ReplicaSpec, instance: string): Promise<RunningReplica> {
    const dir = this.#dirOf(instance);
    await mkdir(dir, { recursive: true });
    const log = await open(join(dir, 'log'), 'a');
    try {
      const child = spawn(process.execPath, [replicaProgram], {
        cwd: dir,
        env: { ...process.env, ...spec.env, ...this.#environment(spec, instance) },
        // The IPC channel closes when the server is gone, and then the replica ends.
        stdio: ['ignore', log.fd, log.fd, 'ipc'],
      });
      return this.#supervise(child, instance);
    } finally {
      await log.close();
    }
  }

  /** Nothing to adopt: processes end with their server. */
  async adopt(): Promise<readonly RunningReplica[]> {
    return [];
  }

  async endLeft(): Promise<void> {}

  /** Nothing to remove: deploys of the same function share a bundle. */
  async discard(): Promise<void> {}

  forget(instance: string): Promise<void> {
    return rm(this.#dirOf(instance), { recursive: true, force: true });
  }

  /** Nothing to remove: `Artifacts` collects bundles. */
  async collect(): Promise<void> {}

  logs(instance: string, { tailLines }: { readonly tailLines: number }): Promise<readonly string[]> {
    return this.#logOf(instance).tail(tailLines);
  }

  followLogs(instance: string, options: FollowLogsOptions): AsyncIterable<string> {
    const ended = this.#running.get(instance)?.replica.exited ?? Promise.resolve();
    return this.#logOf(instance).follow({ ...options, ended });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#logCheck);
    await Promise.all([...this.#running.values()].map(({ replica }) => replica.stop()));
  }

  async #trimLogs(): Promise<void> {
    for (const { log } of this.#running.values()) {
      // A missing file is no reason to stop serving.
      await log.trim().catch(() => {});
    }
  }

  #supervise(child: ChildProcess, instance: string): RunningReplica {
    const exited = exitOf(child);
    const replica: RunningReplica = {
      instance,
      pid: child.pid,
      exited,
      stop: async ({ graceMs = defaultGraceMs } = {}) => {
        child.kill('SIGTERM');
        const force = setTimeout(() => child.kill('SIGKILL'), graceMs);
        await exited;
        clearTimeout(force);
      },
    };
    this.#running.set(instance, { replica, log: this.#logOf(instance) });
    void exited.then(() => this.#running.delete(instance));
    return replica;
  }

  #environment(spec: ReplicaSpec, instance: string): Record<string, string> {
    const { rpcHost: host, rpcPort: port, extensions, serverKey } = this.#options;
    return {
      ...clipperVariables(spec, { instance, host, port, extensions, serverKey }),
      CLIPPER_MODEL_PATH: spec.source.kind === 'bundle' ? spec.source.dir : '',
      CLIPPER_READY_FILE: join(this.#dirOf(instance), 'model_is_ready.check'),
    };
  }

  #logOf(instance: string): LogFile {
    return this.#running.get(instance)?.log ?? new LogFile(join(this.#dirOf(instance), 'log'));
  }

  #dirOf(instance: string): string {
    return join(this.#options.dir, instance);
  }
}

async function exitOf(child: ChildProcess): Promise<ReplicaExit> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    return { how: code === null ? `signal ${signal}` : `exit code ${code}` };
  } catch (error) {
    return { how: new ClipperError('E_REPLICA_EXITED', `could not be started: ${String(error)}`, { cause: error }).message };
  }
}
