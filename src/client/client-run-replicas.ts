import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pino } from 'pino';
import { openBackend } from '../backends.ts';
import type { BackendName } from '../contract/backends.ts';
import { getAllReplicas } from '../contract/models.ts';
import { modelKey } from '../control/names.ts';
import { ClipperError, messageOf } from '../errors.ts';
import type { InstanceBackend, ReplicaSpec } from '../replicas/backend.ts';
import { Fleet } from '../replicas/fleet.ts';
import type { FleetEvents } from '../replicas/fleet-events.ts';
import type { LoggedReplicas } from '../replicas/replica-logs.ts';
import { deferred } from '../util/deferred.ts';
import { temporaryDir } from '../util/state-dir.ts';
import type { RestClient } from './rest-client.ts';

export interface OwnReplicasOptions {
  readonly backend: BackendName;
  /** `host:port` of the container RPC. */
  readonly rpcAddress: string;
  readonly management: RestClient;
}

interface StartOptions {
  readonly replicas: number;
  readonly signal: AbortSignal | undefined;
}

const connectTimeoutMs = 60_000;
const lookEveryMs = 100;

/**
 * Replicas that this process runs for a server that doesn't, such as Berkeley's: restarted when they die, stopped with the
 * connection.
 */
export class ClientRunReplicas implements AsyncDisposable {
  readonly backend: BackendName;
  /** Names their images. */
  readonly cluster = `client-${process.pid}`;
  readonly #options: OwnReplicasOptions;
  readonly #fleets = new Map<string, Fleet>();
  #opened: Promise<{ readonly dir: string; readonly backend: InstanceBackend } & AsyncDisposable> | undefined;
  /** Called when a replica dies, by fleet. */
  readonly #onDied = new Map<Fleet, (instance: string, how: string) => void>();

  constructor(options: OwnReplicasOptions) {
    this.#options = options;
    this.backend = options.backend;
  }

  /** The folder of their bundles. */
  async storeDir(): Promise<string> {
    return join((await this.#open()).dir, 'bundles');
  }

  /**
   * Starts replicas of a version and waits until the server knows them. Throws E_MODEL_EXISTS, E_REPLICA_EXITED,
   * E_REPLICA_NOT_READY, E_CANCELLED.
   */
  async start(wanted: ReplicaSpec, { replicas, signal }: StartOptions): Promise<void> {
    const { backend } = await this.#open();
    const spec = await backend.prepare(wanted, signal ?? new AbortController().signal);
    const key = modelKey(spec.modelName, spec.modelVersion);
    // A second fleet of the same version would leave the first without an owner.
    if ((this.#fleets.get(key)?.wanted ?? 0) > 0) {
      throw new ClipperError('E_MODEL_EXISTS', `This connection runs replicas of model '${key}' already`);
    }
    const events = this.#eventsOf((instance, how) => this.#onDied.get(fleet)?.(instance, how));
    const fleet = new Fleet(spec, { backend, log: pino({ level: 'silent' }), events, isUnheard: true });
    this.#fleets.set(key, fleet);
    try {
      await this.#scale(fleet, { replicas, signal });
    } catch (error) {
      this.#fleets.delete(key);
      await fleet.scale(0);
      throw error;
    }
  }

  /** Changes the number of replicas of a version. Throws E_UNKNOWN_MODEL for one that this connection doesn't run. */
  async setNumReplicas(name: string, version: string, replicas: number): Promise<void> {
    const fleet = this.#fleets.get(modelKey(name, version));
    if (fleet !== undefined) return this.#scale(fleet, { replicas, signal: undefined });
    const message = `This connection runs no replicas of model '${modelKey(name, version)}', and the server starts none`;
    throw new ClipperError('E_UNKNOWN_MODEL', message);
  }

  async stop(name: string, version: string): Promise<void> {
    await this.#fleets.get(modelKey(name, version))?.scale(0);
  }

  /** The replicas, for reading their logs. */
  async logged(): Promise<LoggedReplicas> {
    const { backend } = await this.#open();
    return { backend, fleets: () => this.#fleets.values() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#fleets.values()].map((fleet) => fleet.scale(0)));
    await (await this.#opened?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }

  readonly #eventsOf = (onDied: (instance: string, how: string) => void): FleetEvents => ({
    // A replica finishes its batch before it ends.
    onStopping: async () => {},
    onEnded: ({ instance, how, isIntended }) => {
      if (isIntended) return;
      process.stderr.write(`clipper: the replica ${instance} ended with ${how}\n`);
      onDied(instance, how);
    },
    onGaveUp: ({ modelName, modelVersion }, { deaths }) => {
      const model = modelKey(modelName, modelVersion);
      process.stderr.write(`clipper: a replica of ${model} died ${deaths} times, and is not started any more\n`);
    },
  });

  async #scale(fleet: Fleet, { replicas, signal }: StartOptions): Promise<void> {
    const { backend } = await this.#open();
    const died = deferred<never>();
    died.promise.catch(() => {});
    const onDied = (instance: string, how: string): void =>
      void backend.logs(instance, { tailLines: 20 }).then((lines) => {
        const message = `Replica ${instance} ended with ${how} before it was ready. The end of its log:\n${lines.join('\n')}`;
        died.reject(new ClipperError('E_REPLICA_EXITED', message));
      }, died.reject);
    this.#onDied.set(fleet, onDied);
    try {
      await Promise.race([fleet.scale(replicas), died.promise]);
      await Promise.race([this.#untilKnown(fleet, replicas, signal), died.promise]);
    } finally {
      this.#onDied.delete(fleet);
    }
  }

  async #untilKnown({ spec }: Fleet, replicas: number, signal: AbortSignal | undefined): Promise<void> {
    const { management, rpcAddress } = this.#options;
    const { modelName, modelVersion } = spec;
    for (const end = performance.now() + connectTimeoutMs; performance.now() < end; await setTimeout(lookEveryMs)) {
      if (signal?.aborted === true) throw new ClipperError('E_CANCELLED', 'The deploy was cancelled');
      const all = await management.call(getAllReplicas, { verbose: true });
      const own = all.filter(
        (each) => typeof each !== 'string' && each.model_name === modelName && each.model_version === modelVersion,
      );
      if (own.length >= replicas) return;
    }
    const message = `The replicas of ${modelKey(modelName, modelVersion)} are not known to the server at ${management.url}`;
    throw new ClipperError(
      'E_REPLICA_NOT_READY',
      `${message} after ${connectTimeoutMs / 1_000} s: is ${rpcAddress} its rpcAddress?`,
    );
  }

  #open() {
    this.#opened ??= this.#openBackend();
    return this.#opened;
  }

  async #openBackend() {
    const own = await temporaryDir('replicas');
    try {
      await mkdir(join(own.path, 'bundles'));
      const backend = await this.#makeBackend(join(own.path, 'replicas'));
      const close = async (): Promise<void> => {
        await backend[Symbol.asyncDispose]();
        await own[Symbol.asyncDispose]();
      };
      return { dir: own.path, backend, [Symbol.asyncDispose]: close };
    } catch (error) {
      await own[Symbol.asyncDispose]();
      throw error;
    }
  }

  #makeBackend(dir: string): Promise<InstanceBackend> {
    const { host, port } = splitAddress(this.#options.rpcAddress);
    const isHere = /^(localhost|127\.|\[?::1)/.test(host);
    const remote = isHere ? {} : { remoteRpcHost: host };
    const where = { cluster: this.cluster, dir, rpcHost: host, rpcPort: port, ...remote };
    const log = pino({ level: 'silent' });
    return openBackend(this.backend, { ...where, extensions: false, listenOn: async () => {}, log });
  }
}

/** Throws E_INVALID_OPTION. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  try {
    const { hostname, port } = new URL(`tcp://${address.replace(/^tcp:\/\//, '')}`);
    if (hostname !== '' && port !== '') return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
  } catch (error) {
    throw new ClipperError('E_INVALID_OPTION', `rpcAddress must be host:port, got "${address}": ${messageOf(error)}`);
  }
  throw new ClipperError('E_INVALID_OPTION', `rpcAddress must be host:port, got "${address}"`);
}
