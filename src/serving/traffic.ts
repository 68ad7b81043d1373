import { createHash } from 'node:crypto';
import type { Traffic } from '../control/state-store.ts';
import type { TrafficFigures } from '../metrics/metrics.ts';
import { Recorder } from '../metrics/recorder.ts';
import { getOrInsert } from '../util/get-or-insert.ts';
import { ShadowOutcome } from './shadow.ts';

/** Results of the queries that one version answered, since the last change of the split. */
export class VersionOutcome {
  /** Microseconds from receipt to answer. */
  readonly latency = new Recorder();
  /** Queries that got the default output. */
  failures = 0;

  get queries(): number {
    return this.latency.size;
  }

  record(micros: number, isFailure: boolean): void {
    this.latency.record(micros);
    if (isFailure) this.failures++;
  }
}

/** Results of a model's traffic since the last change of its split. */
export class TrafficStats {
  /** On the clock of performance.now(). */
  readonly startedAt = performance.now();
  readonly versions = new Map<string, VersionOutcome>();
  readonly shadow = new ShadowOutcome();

  version(version: string): VersionOutcome {
    return getOrInsert(this.versions, version, () => new VersionOutcome());
  }
}

/** Multiples of the golden ratio modulo 1 are spread evenly, however many there are (Weyl 1916). */
const goldenRatio = (Math.sqrt(5) - 1) / 2;

/** Splits queries between versions by weight, and counts the results. */
export class TrafficSplitter {
  // A change of traffic is a new object, so counting starts from zero.
  readonly #stats = new WeakMap<Traffic, TrafficStats>();
  #turn = 0;

  statsOf(traffic: Traffic): TrafficStats {
    return getOrInsert(this.#stats, traffic, () => new TrafficStats());
  }

  figuresOf(traffic: Traffic): TrafficFigures {
    const { versions, shadow } = this.statsOf(traffic);
    const { model, shadow: version } = traffic;
    return { model, versions, shadow: version === undefined ? undefined : { version, outcome: shadow } };
  }

  /**
   * The version for the next query. A key always gets the same version while the weights stay the same. Undefined if no
   * version is live.
   */
  choose({ weights, model }: Traffic, key: string | undefined, isLive: (version: string) => boolean): string | undefined {
    const live = Object.entries(weights).filter(([version, weight]) => weight > 0 && isLive(version));
    const total = live.reduce((sum, [, weight]) => sum + weight, 0);
    const point = key === undefined ? this.#nextPoint() : pointOf(`${model} ${key}`);
    let left = point * total;
    for (const [version, weight] of live) {
      left -= weight;
      if (left < 0) return version;
    }
    return live.at(-1)?.[0];
  }

  #nextPoint(): number {
    this.#turn = (this.#turn + goldenRatio) % 1;
    return this.#turn;
  }
}

/** A key's place in [0, 1). */
const pointOf = (key: string): number => createHash('sha256').update(key).digest().readUInt32BE(0) / 2 ** 32;
