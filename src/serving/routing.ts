import { modelKey } from '../control/names.ts';
import type { Registry } from '../control/registry.ts';
import type { Application, ModelVersion, Traffic } from '../control/state-store.ts';
import { ClipperError } from '../errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import type { QueryTarget } from './query.ts';
import type { TrafficSplitter, TrafficStats, VersionOutcome } from './traffic.ts';

/** A client's choice of where its queries go. */
export interface QueryOptions {
  /** Left out: the model's traffic split decides; without a split, it is the current version. */
  readonly version?: string | undefined;
  /** Queries with the same key go to the same version. */
  readonly key?: string | undefined;
}

/** Where a request's queries go. */
export interface Route {
  /** A string says why there is no target. */
  readonly target: QueryTarget | string;
  /** Counts the results, if traffic is split. */
  readonly outcome?: VersionOutcome | undefined;
  /** The shadow version that gets copies. */
  readonly shadow?: ShadowRoute | undefined;
}

export interface ShadowRoute {
  /** `name:version`. */
  readonly model: string;
  readonly queueKey: string;
  readonly stats: TrafficStats;
}

export interface RouterParts {
  readonly registry: Registry;
  readonly metrics: Metrics;
  readonly splitter: TrafficSplitter;
  readonly isCacheOn: boolean;
  /** Whether a model version has a replica for this queue, or would get one. */
  readonly isLive: (model: string, queueKey: string) => boolean;
}

/** Chooses the model version that answers an application's queries. */
export class Router {
  readonly #parts: RouterParts;

  constructor(parts: RouterParts) {
    this.#parts = parts;
  }

  /** Throws E_UNKNOWN_VERSION for a version that the linked model doesn't have. */
  route(application: Application, asked: QueryOptions): Route {
    const { registry } = this.#parts;
    const [name] = registry.linkedModels(application.name);
    if (name === undefined) return { target: `no model is linked to '${application.name}'` };
    const traffic = asked.version === undefined ? registry.traffic(name) : undefined;
    if (traffic !== undefined) return this.#split(application, traffic, asked.key);
    const version = asked.version ?? registry.currentVersion(name);
    const model = version === undefined ? undefined : registry.model(name, version);
    if (model !== undefined) return { target: this.#targetOf(application, model) };
    if (asked.version === undefined) return { target: `the current version of the linked model '${name}' was deleted` };
    throw new ClipperError('E_UNKNOWN_VERSION', `Requested version: ${asked.version} does not exist for model: ${name}`);
  }

  #split(application: Application, traffic: Traffic, key: string | undefined): Route {
    const { registry, splitter, isLive } = this.#parts;
    const { model: name, shadow } = traffic;
    const { inputType } = application;
    const keyOf = (version: string): string => queueKeyOf({ model: modelKey(name, version), inputType });
    const takes = (version: string): boolean => isLive(modelKey(name, version), keyOf(version));
    const version = splitter.choose(traffic, key, takes) ?? registry.currentVersion(name) ?? '';
    const stats = splitter.statsOf(traffic);
    const model = registry.model(name, version);
    const target = model === undefined ? `the model '${name}' has no current version` : this.#targetOf(application, model);
    return {
      target,
      outcome: stats.version(version),
      shadow:
        shadow === undefined || shadow === version
          ? undefined
          : { model: modelKey(name, shadow), queueKey: keyOf(shadow), stats },
    };
  }

  #targetOf({ inputType, cache = true }: Application, { name, version, cache: kept = true }: ModelVersion): QueryTarget {
    const { registry, metrics, isCacheOn } = this.#parts;
    const key = modelKey(name, version);
    return {
      model: key,
      queueKey: queueKeyOf({ model: key, inputType }),
      generation: `${key} ${registry.generation(name, version)}`,
      cache: cache && kept !== false && isCacheOn ? (kept === true ? {} : kept) : undefined,
      metrics: metrics.model(key),
    };
  }
}

/** Includes the input type: a replica of another type than the application's must not get its inputs. */
export const queueKeyOf = ({ model, inputType }: Pick<RpcReplica, 'model' | 'inputType'>): string => `${model} ${inputType}`;
