import type { AutoscalingRange } from '../contract/deploys.ts';
import type { EventLog } from '../control/event-log.ts';
import { modelKey } from '../control/names.ts';
import type { Registry } from '../control/registry.ts';
import type { DeploymentRecord } from '../control/state-store.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ReplicaFleet } from './fleet-backend.ts';
import type { Supervisor } from './supervisor.ts';

/** The load of a version's replicas. */
export interface Load {
  /** Connected replicas. */
  readonly replicas: number;
  /** Milliseconds that all replicas together have worked so far; never decreases. */
  readonly busyMs: number;
  /** The share of its objective that the next query in the queue has used up; 0 if none waits. */
  readonly waitedShare: number;
}

export interface AutoscalerParts {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly events: EventLog;
  readonly log: Log;
  readonly loadOf: (deployment: DeploymentRecord) => Load;
}

/** What is remembered of a version between two checks. Times are on the clock of performance.now(). */
interface Watched {
  lookedAt: number;
  busyMs: number;
  /** Set while fewer replicas would do: since when, and the most that were needed in that time. */
  fewer: { readonly since: number; most: number } | undefined;
}

const lookEveryMs = 500;
/** After a failed start: the next one would fail too, and every query would trigger it. */
const restMs = 2_000;
/** Queries that have waited for more than this share of their objective may miss it. */
const dangerousShare = 0.4;

/**
 * Scales versions with their load. It adds replicas until each works for the target share of its time, as Kubernetes'
 * horizontal autoscaler does, and adds more if queries wait for long. It removes some only after fewer would have done for
 * a while.
 */
export class Autoscaler implements Disposable {
  readonly #parts: AutoscalerParts;
  readonly #watched = new WeakMap<ReplicaFleet, Watched>();
  /** After a failed start: when to try again. */
  readonly #restingUntil = new WeakMap<ReplicaFleet, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(parts: AutoscalerParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#lookAtAll(performance.now()), lookEveryMs).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Whether a version (`name:version`) has no replica only because it was idle, and a query would start one. */
  isAsleep(model: string): boolean {
    return this.#asleep(model) !== undefined;
  }

  /** Starts a replica of a version that was scaled to zero. Returns false if none will start. */
  wake(model: string): boolean {
    const fleet = this.#asleep(model);
    if (fleet?.wanted === 0) this.#scale(fleet, 1, 'a query came');
    return fleet !== undefined;
  }

  #asleep(model: string): ReplicaFleet | undefined {
    const { registry, supervisor } = this.#parts;
    const [name = '', version = ''] = model.split(':');
    const deployment = registry.deployment(name, version);
    const fleet = supervisor.fleet(name, version);
    if (typeof deployment?.replicas !== 'object' || deployment.isStopped === true) return undefined;
    if (fleet === undefined || fleet.crashLoop !== undefined) return undefined;
    return fleet.wanted > 0 || !this.#isResting(fleet, performance.now()) ? fleet : undefined;
  }

  #lookAtAll(now: number): void {
    const { registry, supervisor, loadOf } = this.#parts;
    for (const deployment of registry.deployments) {
      const { name, version, replicas, isStopped } = deployment;
      const fleet = supervisor.fleet(name, version);
      if (typeof replicas !== 'object' || isStopped === true || fleet === undefined || fleet.crashLoop !== undefined) continue;
      this.#look(fleet, { load: loadOf(deployment), range: replicas, now });
    }
  }

  #look(fleet: ReplicaFleet, { load, range, now }: { load: Load; range: AutoscalingRange; now: number }): void {
    const before = this.#watched.get(fleet);
    const watched: Watched = { lookedAt: now, busyMs: load.busyMs, fewer: before?.fewer };
    this.#watched.set(fleet, watched);
    // Wait for replicas that are still starting.
    if (before === undefined || load.replicas < fleet.wanted) return;
    const utilization = (load.busyMs - before.busyMs) / (now - before.lookedAt) / Math.max(1, load.replicas);
    const wanted = wantedFor(fleet.wanted, { utilization, waitedShare: load.waitedShare, range });
    if (wanted >= fleet.wanted) watched.fewer = undefined;
    if (wanted > fleet.wanted && !this.#isResting(fleet, now)) {
      const isLate = load.waitedShare > dangerousShare;
      const atWork = `its replicas are at work ${(100 * utilization).toFixed(0)} % of their time`;
      return this.#scale(fleet, wanted, isLate ? 'queries wait for long' : atWork);
    }
    if (wanted >= fleet.wanted) return;
    const fewer = { since: watched.fewer?.since ?? now, most: Math.max(wanted, watched.fewer?.most ?? 0) };
    watched.fewer = fewer;
    if (now - fewer.since < range.scaleDownAfterMs) return;
    watched.fewer = undefined;
    this.#scale(fleet, fewer.most, `so many did for ${range.scaleDownAfterMs / 1_000} s`);
  }

  #scale(fleet: ReplicaFleet, replicas: number, why: string): void {
    const { modelName: model, modelVersion: version } = fleet.spec;
    const { events, log } = this.#parts;
    const message = `${modelKey(model, version)} goes from ${fleet.wanted} to ${replicas} replicas: ${why}`;
    events.add({ kind: 'scaled', model, version, message });
    fleet.scale(replicas).catch((error: unknown) => {
      log.warn({ err: error }, `a version could not be scaled: ${messageOf(error)}`);
      this.#restingUntil.set(fleet, performance.now() + restMs);
    });
  }

  #isResting(fleet: ReplicaFleet, now: number): boolean {
    return now < (this.#restingUntil.get(fleet) ?? 0);
  }
}

/** How many replicas the load needs. Zero only if there was no load. */
export function wantedFor(
  now: number,
  { utilization, waitedShare, range }: { utilization: number; waitedShare: number; range: AutoscalingRange },
): number {
  const byWork = Math.ceil((now * utilization) / range.targetUtilization - 1e-9);
  const byWait = waitedShare > dangerousShare ? now + Math.max(1, Math.ceil(now / 2)) : 0;
  return Math.min(range.max, Math.max(range.min, byWork, byWait));
}
