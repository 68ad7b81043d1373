import type { AutoscalingRange } from '../contract/deploys.ts';
import type { EventLog } from '../control/event-log.ts';
import { modelKey } from '../control/names.ts';
import type { Registry } from '../control/registry.ts';
import type { DeploymentRecord } from '../control/state-store.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ReplicaFleet } from './fleet-backend.ts';
import type { Supervisor } from './supervisor.ts';

/** What the replicas of a version have to do. */
export interface Load {
  /** Those that are connected. */
  readonly replicas: number;
  /** Milliseconds that replicas were at work, all together and since ever. */
  readonly busyMs: number;
  /** How much of its objective the query that waits for longest has used up; 0 where none waits. */
  readonly waitedShare: number;
}

export interface AutoscalerParts {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly events: EventLog;
  readonly log: Log;
  readonly loadOf: (deployment: DeploymentRecord) => Load;
}

/** What is known of a version from one look to the next. Times are on the clock of performance.now(). */
interface Watched {
  lookedAt: number;
  busyMs: number;
  /** Since when fewer replicas would have done, and how many at most. */
  fewer: { readonly since: number; most: number } | undefined;
}

const lookEveryMs = 500;
/** What can't be started now can't be a moment later, and each query would ask for it. */
const restMs = 2_000;
/** Queries that wait for longer than this share of their objective are in danger of missing it. */
const dangerousShare = 0.4;

/**
 * Scales versions with their load: so many replicas that each is at work for the wanted share of its time, as Kubernetes'
 * horizontal autoscaler computes it, and more where queries wait for long; fewer only when they would have done for a while.
 */
export class Autoscaler implements Disposable {
  readonly #parts: AutoscalerParts;
  readonly #watched = new WeakMap<ReplicaFleet, Watched>();
  /** Until when those are left alone whose replicas could not be started. */
  readonly #restingUntil = new WeakMap<ReplicaFleet, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(parts: AutoscalerParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#lookAtAll(performance.now()), lookEveryMs).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Whether a version, by `name:version`, has no replica only because nobody asked it for a while, and would get one. */
  isAsleep(model: string): boolean {
    return this.#asleep(model) !== undefined;
  }

  /** Starts a replica of a version that was scaled to none. False if none will come. */
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
    // Those that are on their way are waited for.
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

/** How many replicas would have been right; none only where nothing was to do. */
export function wantedFor(
  now: number,
  { utilization, waitedShare, range }: { utilization: number; waitedShare: number; range: AutoscalingRange },
): number {
  const byWork = Math.ceil((now * utilization) / range.targetUtilization - 1e-9);
  const byWait = waitedShare > dangerousShare ? now + Math.max(1, Math.ceil(now / 2)) : 0;
  return Math.min(range.max, Math.max(range.min, byWork, byWait));
}
