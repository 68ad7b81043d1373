import type { Log } from '../log.ts';
import type { FollowLogsOptions, InstanceBackend, ReplicaSource, ReplicaSpec } from './backend.ts';
import { Fleet } from './fleet.ts';
import type { FleetBackend, OpenFleetOptions } from './fleet-backend.ts';

/** Keeps fleets on a backend that starts single replicas. */
export class InstanceFleets implements FleetBackend {
  readonly #backend: InstanceBackend;
  readonly #log: Log;

  constructor(backend: InstanceBackend, log: Log) {
    this.#backend = backend;
    this.#log = log;
  }

  prepare(spec: ReplicaSpec, signal: AbortSignal): Promise<ReplicaSpec> {
    return this.#backend.prepare(spec, signal);
  }

  async open(spec: ReplicaSpec, { events, adopts }: OpenFleetOptions): Promise<Fleet> {
    const adopted = adopts ? await this.#backend.adopt(spec) : [];
    const fleet = new Fleet(spec, { backend: this.#backend, log: this.#log, events });
    if (adopted.length === 0) return fleet;
    this.#log.info({ instances: adopted.map(({ instance }) => instance) }, 'replicas of an earlier server are adopted');
    fleet.adopt(adopted);
    return fleet;
  }

  endLeft(): Promise<void> {
    return this.#backend.endLeft();
  }

  discard(source: ReplicaSource): Promise<void> {
    return this.#backend.discard(source);
  }

  collect(needed: readonly Pick<ReplicaSpec, 'modelName' | 'modelVersion'>[]): Promise<void> {
    return this.#backend.collect(needed);
  }

  logs(instance: string, options: { readonly tailLines: number }): Promise<readonly string[]> {
    return this.#backend.logs(instance, options);
  }

  followLogs(instance: string, options: FollowLogsOptions): AsyncIterable<string> {
    return this.#backend.followLogs(instance, options);
  }
}
