import './util/dispose-symbols.ts';

export { type Bundle, type BundleOptions, bundleClosure, type StoredBundle } from './bundle/bundle.ts';
export type { BundleFile } from './bundle/write-files.ts';
export type { BuildOptions, BuiltModel } from './client/build-model.ts';
export { ClipperConnection } from './client/connection.ts';
export {
  createEndpoint,
  type DeployOptions,
  deployPredictFunction,
  type Endpoint,
  type EndpointOptions,
} from './client/deploy.ts';
export type { DeployModelOptions } from './client/deploy-model.ts';
export type { Deployment } from './client/deploy-target.ts';
export type { EventOptions, FollowOptions } from './client/events.ts';
export type { FeedbackOptions, FeedbackRecord } from './client/feedback.ts';
export type { ApplicationOptions, LogOptions, ModelOptions, PredictOptions, ReplicasOption } from './client/options.ts';
export type { OnProgress, ProgressEvent } from './client/progress.ts';
export { type ConnectOptions, connectClipper, type StartOptions, startClipper } from './client/start.ts';
export type { TrafficOptions, TrafficWeights } from './client/traffic.ts';
export type {
  ApplicationInfo,
  Explanation,
  FailedPrediction,
  Input,
  InputOf,
  ModelInfo,
  Prediction,
  ReplicaInfo,
} from './client/wire.ts';
export type { CaptureOptions } from './closure/capture/options.ts';
export { type Reduce, reduceSymbol, registerReducer } from './closure/capture/reducers.ts';
export type { Reduced } from './closure/capture/reducers-known.ts';
export { captureClosure } from './closure/capture-closure.ts';
export { explainClosure } from './closure/explain-closure.ts';
export type { CapturedClosure } from './closure/graph/closure.ts';
export type { Problem } from './closure/graph/problem.ts';
export type { CaptureNode, CaptureReport, Flag } from './closure/report/report.ts';
export type { ClusterInfo, ModelStatus } from './contract/cluster.ts';
export type { ClusterEvent, EventKind } from './contract/events.ts';
export type { DefaultReason } from './contract/queries.ts';
export type { TrafficReport } from './contract/traffic.ts';
export { ClipperError, type ErrorCode, errorCodes, isClipperError } from './errors.ts';
export type { InputType, InputValues } from './protocol/input-types.ts';
export type { RemoteError } from './protocol/messages.ts';
export type { Timeline } from './serving/query.ts';
