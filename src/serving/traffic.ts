import { createHash } from 'node:crypto';
import type { Traffic } from '../control/state-store.ts';
import type { TrafficFigures } from '../metrics/metrics.ts';
import { Recorder } from '../metrics/recorder.ts';
import { getOrInsert } from '../util/get-or-insert.ts';
import { ShadowOutcome } from './shadow.ts';

/** What came of the queries that one version answered, since traffic was split this way. */
export class VersionOutcome {
  /** Microseconds from receipt to answer. */
  readonly latency = new Recorder();
  /** Those that were given the default output. */
  failures = 0;

  get queries(): number {
    return this.latency.size;
  }

  record(micros: number, isFailure: boolean): void {
    this.latency.record(micros);
    if (isFailure) this.failures++;
  }
}

/** How a model's traffic went since it was split as it is. */
export class TrafficStats {
  /** On the clock of performance.now(). */
  readonly startedAt = performance.now();
  readonly versions = new Map<string, VersionOutcome>();
  readonly shadow = new ShadowOutcome();

  version(version: string): VersionOutcome {
    return getOrInsert(this.versions, version, () => new VersionOutcome());
  }
}

/** Multiples of the golden ratio modulo 1 are spread evenly, however many of them are taken (Weyl 1916). */
const goldenRatio = (Math.sqrt(5) - 1) / 2;

/** Splits queries between versions by their weights, and keeps count of what comes of it. */
export class TrafficSplitter {
  // A change of traffic is a new object, and begins to count anew.
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

  /** The version for the next query: always the same one for the same key, as long as the weights are the same. Undefined where none is live. */
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

/** Where in [0, 1) a key is. */
const pointOf = (key: string): number => createHash('sha256').update(key).digest().readUInt32BE(0) / 2 ** 32;
