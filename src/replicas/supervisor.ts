import { modelKey } from '../control/names.ts';
import { ClipperError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import { deferred } from '../util/deferred.ts';
import type { ReplicaSource, ReplicaSpec } from './backend.ts';
import { describeCrashLoop } from './crash-loop.ts';
import type { FleetBackend, ReplicaFleet } from './fleet-backend.ts';
import type { FleetEvents } from './fleet-events.ts';
import type { LoggedReplicas } from './replica-logs.ts';

/** Called when a replica connects or ends. */
interface Waiter {
  readonly onConnected: () => void;
  readonly onEnded: FleetEvents['onEnded'];
}

interface ConnectOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Keeps the wanted number of replicas of every deployed model version. */
export class Supervisor implements AsyncDisposable {
  readonly #backend: FleetBackend;
  readonly #log: Log;
  readonly #events: FleetEvents;
  readonly #fleets = new Map<string, ReplicaFleet>();
  readonly #waiters = new Set<Waiter>();
  /** Connected replicas by instance. Those that outlived their server may connect before their fleet exists. */
  readonly #announced = new Map<string, RpcReplica>();
  #isClosed = false;

  constructor(backend: FleetBackend, log: Log, events: FleetEvents) {
    this.#backend = backend;
    this.#log = log;
    this.#events = events;
  }

  fleet(name: string, version: string): ReplicaFleet | undefined {
    return this.#fleets.get(modelKey(name, version));
  }

  /** Whether a model, or a version of it, has or had replicas. */
  runs(name: string, version: string | undefined): boolean {
    if (version !== undefined) return this.fleet(name, version) !== undefined;
    return [...this.#fleets.values()].some(({ spec }) => spec.modelName === name);
  }

  /** Why a version (`name:version`) has no replica; undefined if unknown. */
  whyAbsent(model: string): string | undefined {
    const fleet = this.#fleets.get(model);
    if (fleet?.crashLoop !== undefined) return describeCrashLoop(fleet.crashLoop);
    return fleet?.wanted === 0 ? (fleet.whyNotStarted ?? 'its replicas were stopped') : undefined;
  }

  /** Why a version has no replica and gets none until it is scaled again; undefined if it has or may get one. */
  whyGivenUp(name: string, version: string): string | undefined {
    const fleet = this.fleet(name, version);
    if (fleet?.crashLoop === undefined || fleet.connected.length > 0) return undefined;
    return describeCrashLoop(fleet.crashLoop);
  }

  /**
   * Adds the fleet of a model version. It has no replicas, but with `adopts` those that an earlier server left. Throws what
   * the backend's `prepare` throws.
   */
  async add(wanted: ReplicaSpec, signal: AbortSignal, { adopts = false } = {}): Promise<ReplicaFleet> {
    if (this.#isClosed) throw cancelled();
    const spec = await this.#backend.prepare(wanted, signal);
    // Replicas of a deleted version with this name may still run, and would answer for this one.
    await this.remove(spec.modelName, spec.modelVersion);
    const onEnded: FleetEvents['onEnded'] = (ended) => {
      this.#announced.delete(ended.instance);
      for (const waiter of this.#waiters) waiter.onEnded(ended);
      this.#events.onEnded(ended);
    };
    const events = { ...this.#events, onEnded };
    const fleet = await this.#backend.open(spec, { events, adopts });
    if (this.#isClosed) {
      await fleet.scale(0);
      throw cancelled();
    }
    this.#fleets.set(modelKey(spec.modelName, spec.modelVersion), fleet);
    for (const instance of fleet.instances) {
      const replica = this.#announced.get(instance);
      if (replica !== undefined) fleet.announced(replica);
    }
    return fleet;
  }

  /** Ends replicas that an earlier server left and no version adopted. */
  endLeft(): Promise<void> {
    return this.#backend.endLeft();
  }

  /** Stops all replicas of a model version and forgets it. */
  async remove(name: string, version: string): Promise<void> {
    const key = modelKey(name, version);
    const fleet = this.#fleets.get(key);
    this.#fleets.delete(key);
    await fleet?.scale(0);
  }

  /** Removes what was made for versions that no longer exist. */
  collect(needed: readonly Pick<ReplicaSpec, 'modelName' | 'modelVersion'>[]): Promise<void> {
    return this.#backend.collect(needed);
  }

  /** Removes what was made for replicas of a source that is no longer needed. */
  discard(source: ReplicaSource): Promise<void> {
    return this.#backend.discard(source);
  }

  /** Undoes a failed deploy. */
  async takeBack({ modelName, modelVersion, ...asked }: ReplicaSpec): Promise<void> {
    const { source } = this.fleet(modelName, modelVersion)?.spec ?? asked;
    await this.remove(modelName, modelVersion);
    await this.discard(source);
  }

  /** Ends a replica that no longer answers. Its fleet starts another. */
  replace({ modelName, modelVersion, instance }: RpcReplica): void {
    if (instance === undefined) return;
    this.#log.warn({ instance }, 'a replica no longer answers and is replaced');
    void this.fleet(modelName, modelVersion)?.replace(instance);
  }

  /** Call when a replica connects. */
  connected(replica: RpcReplica): void {
    if (replica.instance !== undefined) this.#announced.set(replica.instance, replica);
    this.fleet(replica.modelName, replica.modelVersion)?.announced(replica);
    for (const waiter of this.#waiters) waiter.onConnected();
  }

  /**
   * Scales a fleet and waits until the added replicas are connected, or at least one if any is wanted. Returns all
   * connected ones. Throws E_REPLICA_EXITED, with the end of its log, if a new replica ends first; E_REPLICA_NOT_READY
   * after `timeoutMs`; E_CANCELLED.
   */
  async scaleUntilConnected(
    fleet: ReplicaFleet,
    wanted: number,
    { timeoutMs, signal }: ConnectOptions,
  ): Promise<readonly RpcReplica[]> {
    if (this.#isClosed || signal.aborted) throw cancelled();
    const before = new Set(fleet.instances);
    const isNew = (instance: string): boolean => fleet.instances.includes(instance) && !before.has(instance);
    const already = fleet.connected.length;
    const needed = Math.min(wanted, already + Math.max(wanted - fleet.wanted, already === 0 ? 1 : 0));
    const all = deferred<void>();
    const look = (): void => {
      if (fleet.connected.length >= needed) all.resolve();
    };
    const onEnded: Waiter['onEnded'] = ({ instance, how, isIntended }) => {
      if (!isNew(instance)) return;
      if (isIntended) all.reject(new ClipperError('E_CANCELLED', `Replica ${instance} was stopped before it was ready`));
      else void this.#exited(instance, how).then(all.reject, all.reject);
    };
    const waiter: Waiter = { onConnected: look, onEnded };
    const late = setTimeout(() => void this.#notReady(fleet, isNew, timeoutMs).then(all.reject, all.reject), timeoutMs);
    const abort = (): void => all.reject(cancelled());
    signal.addEventListener('abort', abort);
    this.#waiters.add(waiter);
    try {
      await Promise.all([fleet.scale(wanted).then(look), all.promise]);
      return fleet.connected;
    } finally {
      clearTimeout(late);
      signal.removeEventListener('abort', abort);
      this.#waiters.delete(waiter);
    }
  }

  /** The replicas, for reading their logs. */
  get logged(): LoggedReplicas {
    return { backend: this.#backend, fleets: () => this.#fleets.values() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#fleets.values()].map((fleet) => fleet.scale(0)));
    this.#fleets.clear();
  }

  async #exited(instance: string, how: string): Promise<ClipperError> {
    return new ClipperError(
      'E_REPLICA_EXITED',
      `Replica ${instance} ended with ${how} before it was ready. The end of its log:\n${await this.tailOf(instance)}`,
    );
  }

  async #notReady(fleet: ReplicaFleet, isNew: (instance: string) => boolean, timeoutMs: number): Promise<ClipperError> {
    const model = modelKey(fleet.spec.modelName, fleet.spec.modelVersion);
    const [first = ''] = fleet.instances.filter(isNew);
    const message = `The replicas of ${model} did not connect within ${timeoutMs / 1_000} s`;
    const why = 'loading the model or `setup` takes longer or hangs, or a firewall is between the replica and the server';
    return new ClipperError(
      'E_REPLICA_NOT_READY',
      `${message}: ${why}. The end of the log of ${first}:\n${await this.tailOf(first)}`,
    );
  }

  /** The end of a replica's log, for an error message. */
  async tailOf(instance: string): Promise<string> {
    const lines = await this.#backend.logs(instance, { tailLines: 20 }).catch((error: unknown) => [messageOf(error)]);
    return lines.length === 0 ? '(nothing)' : lines.join('\n');
  }
}

export const cancelled = (): ClipperError => new ClipperError('E_CANCELLED', 'The deploy was cancelled');
