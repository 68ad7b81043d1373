export { ClipperError, type ErrorCode, isClipperError } from '../src/errors.ts';
export type { InputType } from '../src/protocol/input-types.ts';
export type { ContainerEnvironment } from './environment.ts';
export type { FeedbackFunction } from './feedback.ts';
export { ModelContainer, type Outputs } from './model-container.ts';
export { RPCService } from './rpc-service.ts';
