import type { InputType } from '../protocol/input-types.ts';
import type { RemoteError } from '../protocol/messages.ts';
import type { DefaultReason, Timeline } from '../serving/query.ts';

/** What an application answers: the prediction, or its default output and why. */
export interface Prediction {
  readonly queryId: number;
  /** What the function returned. Of containers of Clipper's own: their text, parsed if it is JSON. */
  readonly output: unknown;
  /** Whether `output` is the application's default output. */
  readonly default: boolean;
  readonly defaultExplanation?: string;
  readonly defaultReason?: DefaultReason;
  /** Where it was asked for. */
  readonly explain?: Explanation;
}

/** What happened to a query. */
export interface Explanation {
  /** `name:version`; undefined where no model is linked. */
  readonly model?: string;
  readonly timeline: Timeline;
  /** What the function threw. */
  readonly error?: RemoteError;
}

/** A query that was given the default output. */
export interface FailedPrediction extends Explanation {
  readonly queryId: number;
  readonly at: Date;
  readonly defaultReason: DefaultReason;
  readonly defaultExplanation: string;
}

/** One input of each type as a caller has it: an array of numbers of any kind, bytes, or a string. */
interface Inputs {
  readonly bytes: Uint8Array;
  readonly integers: ArrayLike<number>;
  readonly floats: ArrayLike<number>;
  readonly doubles: ArrayLike<number>;
  readonly strings: string;
}
export type InputOf<T extends InputType> = Inputs[T];
export type Input = InputOf<InputType>;

/** A model version as management describes it. */
export interface ModelInfo {
  readonly name: string;
  readonly version: string;
  readonly inputType: InputType;
  readonly labels: readonly string[];
  readonly image: string;
  readonly isCurrent: boolean;
  /** Inputs a batch at most; -1: adaptive. */
  readonly batchSize: number;
  /** How long a batch that is not full waits for more. */
  readonly batchDelayMicros: number;
  /** Whether a slow batch is sent to a second replica too. */
  readonly hedge: boolean;
  /** Whether outputs are kept for identical inputs, and for how long. */
  readonly cache: boolean | { readonly ttlMicros: number };
}

export interface ApplicationInfo {
  readonly name: string;
  readonly inputType: InputType;
  readonly defaultOutput: string;
  readonly sloMicros: number;
  /** Whether its queries may be answered from the cache. */
  readonly cache: boolean;
  /** How many keys it has; its queries need one where there are any. */
  readonly apiKeys: number;
  readonly linkedModels: readonly string[];
}

export interface ReplicaInfo {
  readonly name: string;
  readonly version: string;
  readonly replicaId: number;
  readonly inputType: InputType;
}

/** What the management REST sends. */
export interface WireApplication {
  readonly name: string;
  readonly input_type: InputType;
  readonly default_output: string;
  readonly latency_slo_micros: number;
  readonly cache?: boolean;
  readonly api_keys?: number;
  readonly linked_models: readonly string[];
}

export interface WireModel {
  readonly model_name: string;
  readonly model_version: string;
  readonly input_type: InputType;
  readonly labels: readonly string[];
  readonly container_name: string;
  readonly is_current_version: boolean;
  readonly batch_size?: number;
  readonly batch_delay_micros?: number;
  readonly hedge?: boolean;
  readonly cache?: boolean | { readonly ttl_micros: number };
}

export interface WireReplica {
  readonly model_name: string;
  readonly model_version: string;
  readonly model_replica_id: number;
  readonly input_type: InputType;
}

/** What the query REST sends. */
export interface WirePrediction {
  readonly query_id: number;
  readonly output: unknown;
  readonly default: boolean;
  readonly default_explanation?: string;
  readonly default_reason?: DefaultReason;
  readonly explain?: WireExplanation;
}

type WireTimeline = Omit<Timeline, 'batchSize' | 'computeMicros'> & {
  readonly batch_size?: number;
  readonly compute_micros?: number;
};
type WireExplanation = Omit<Explanation, 'timeline'> & { readonly timeline: WireTimeline };

export interface WireFailure extends WireExplanation {
  readonly query_id: number;
  readonly at: string;
  readonly default_reason: DefaultReason;
  readonly default_explanation: string;
}

export const applicationInfo = (wire: WireApplication): ApplicationInfo => ({
  name: wire.name,
  inputType: wire.input_type,
  defaultOutput: wire.default_output,
  sloMicros: wire.latency_slo_micros,
  cache: wire.cache ?? true,
  apiKeys: wire.api_keys ?? 0,
  linkedModels: wire.linked_models,
});

export const modelInfo = (wire: WireModel): ModelInfo => ({
  name: wire.model_name,
  version: wire.model_version,
  inputType: wire.input_type,
  labels: wire.labels,
  image: wire.container_name,
  isCurrent: wire.is_current_version,
  batchSize: wire.batch_size ?? -1,
  batchDelayMicros: wire.batch_delay_micros ?? 0,
  hedge: wire.hedge ?? false,
  cache: typeof wire.cache === 'object' ? { ttlMicros: wire.cache.ttl_micros } : (wire.cache ?? true),
});

export const replicaInfo = (wire: WireReplica): ReplicaInfo => ({
  name: wire.model_name,
  version: wire.model_version,
  replicaId: wire.model_replica_id,
  inputType: wire.input_type,
});

export const prediction = (wire: WirePrediction): Prediction => ({
  queryId: wire.query_id,
  output: wire.output,
  default: wire.default,
  ...(wire.default_explanation === undefined ? {} : { defaultExplanation: wire.default_explanation }),
  ...(wire.default_reason === undefined ? {} : { defaultReason: wire.default_reason }),
  ...(wire.explain === undefined ? {} : { explain: explanation(wire.explain) }),
});

function explanation({ model, error, timeline }: WireExplanation): Explanation {
  const { batch_size: batchSize, compute_micros: computeMicros, ...times } = timeline;
  return {
    ...(model === undefined ? {} : { model }),
    timeline: {
      ...times,
      ...(batchSize === undefined ? {} : { batchSize }),
      ...(computeMicros === undefined ? {} : { computeMicros }),
    },
    ...(error === undefined ? {} : { error }),
  };
}

export const failedPrediction = (wire: WireFailure): FailedPrediction => ({
  queryId: wire.query_id,
  at: new Date(wire.at),
  defaultReason: wire.default_reason,
  defaultExplanation: wire.default_explanation,
  ...explanation(wire),
});

/** An input as JSON has it: bytes in base64, numbers as an array. */
export function plainInput(input: Input): unknown {
  if (typeof input === 'string') return input;
  if (input instanceof Uint8Array) return Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString('base64');
  return Array.from(input);
}
