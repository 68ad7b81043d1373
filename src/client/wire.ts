import type { Application } from '../contract/applications.ts';
import { camelKeys } from '../contract/case.ts';
import type { Model, Replica } from '../contract/models.ts';
import type { DefaultReason, FailedQuery, Prediction as WirePrediction } from '../contract/queries.ts';
import { type ServingSettings, servingOf } from '../contract/serving.ts';
import type { InputType } from '../protocol/input-types.ts';
import type { RemoteError } from '../protocol/messages.ts';
import type { Timeline } from '../serving/query.ts';
import type { z } from '../util/zod.ts';

/** What an application answers: the prediction, or its default output and why. */
export interface Prediction {
  readonly queryId: number;
  /** What the function returned. From Clipper's own containers: their text, parsed if it is JSON. */
  readonly output: unknown;
  /** Whether `output` is the application's default output. */
  readonly default: boolean;
  readonly defaultExplanation?: string;
  readonly defaultReason?: DefaultReason;
  /** If it was asked for. */
  readonly explain?: Explanation;
}

/** What happened to a query. */
export interface Explanation {
  /** `name:version`; undefined if no model is linked. */
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
/** One input of a type, as callers have it: an array of numbers of any kind, bytes, or a string. */
export type InputOf<T extends InputType> = Inputs[T];
/** One input of any type. */
export type Input = InputOf<InputType>;

/** A model version as management describes it. */
export interface ModelInfo extends ServingSettings {
  readonly name: string;
  readonly version: string;
  readonly inputType: InputType;
  readonly labels: readonly string[];
  readonly image: string;
  readonly isCurrent: boolean;
}

/** An application as management describes it. */
export interface ApplicationInfo {
  readonly name: string;
  readonly inputType: InputType;
  readonly defaultOutput: string;
  readonly sloMicros: number;
  /** Whether its queries may be answered from the cache. */
  readonly cache: boolean;
  /** How many keys it has. If it has any, its queries need one. */
  readonly apiKeys: number;
  readonly linkedModels: readonly string[];
}

/** A replica that is connected. */
export interface ReplicaInfo {
  readonly name: string;
  readonly version: string;
  readonly replicaId: number;
  readonly inputType: InputType;
}

/** An application as management answers it. */
export function applicationInfo(answer: z.output<typeof Application>): ApplicationInfo {
  const { latencySloMicros: sloMicros, ...rest } = camelKeys(answer);
  return { ...rest, sloMicros };
}

/** A model version as management answers it. */
export function modelInfo(answer: z.output<typeof Model>): ModelInfo {
  const { modelName, modelVersion, inputType, labels, containerName, isCurrentVersion, ...rest } = camelKeys(answer);
  const named = { name: modelName, version: modelVersion, inputType, labels, image: containerName };
  return { ...named, isCurrent: isCurrentVersion, ...servingOf(rest) };
}

/** A replica as management answers it. */
export const replicaInfo = (answer: z.output<typeof Replica>): ReplicaInfo => ({
  name: answer.model_name,
  version: answer.model_version,
  replicaId: answer.model_replica_id,
  inputType: answer.input_type,
});

/** A prediction as queries are answered. */
export function prediction({ output, ...answer }: z.output<typeof WirePrediction>): Prediction {
  const { queryId, default: isDefault, defaultExplanation, defaultReason, explain } = camelKeys(answer);
  // An output is the user's own: its fields keep their names.
  return {
    ...{ queryId, output, default: isDefault },
    ...(defaultExplanation === undefined ? {} : { defaultExplanation }),
    ...(defaultReason === undefined ? {} : { defaultReason }),
    ...(explain === undefined ? {} : { explain: explain as Explanation }),
  };
}

/** A query that was given the default output, as it is listed. */
export function failedPrediction(answer: z.output<typeof FailedQuery>): FailedPrediction {
  const { application: _, at, ...rest } = camelKeys(answer);
  return { ...(rest as Omit<FailedPrediction, 'at'>), at: new Date(at) };
}

/** An input as JSON has it: bytes in base64, numbers as an array. */
export function plainInput(input: Input): unknown {
  if (typeof input === 'string') return input;
  if (input instanceof Uint8Array) return Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString('base64');
  return Array.from(input);
}
