import { ClipperError } from '../errors.ts';
import { readU32, readU64s, textOf, u32, utf8 } from './bytes.ts';
import {
  decodeInputs,
  decodeOutputs,
  encodeInputs,
  encodeOutputs,
  type Inputs,
  type OutputForm,
  type Outputs,
  unexpected,
} from './content.ts';
import { type InputType, inputTypeCode, inputTypeOfCode } from './input-types.ts';

/** The version of Clipper's container RPC that both sides must speak. */
export const rpcVersion = 3;

const types = { newContainer: 0, content: 1, heartbeat: 2 } as const;
const heartbeats = { keepAlive: 0, requestMetadata: 1 } as const;
const requests = { predict: 0, feedback: 1 } as const;

/** What our replica adds to its announcement, if its environment says that the server understands it. */
export interface Extensions {
  /** Outputs have a status each, so that a failed input is answered with its error. */
  readonly errors: boolean;
  /** The replica sends and receives batches in one frame, and keeps the next batch ready while it works on one. */
  readonly packed?: boolean;
  /** The replica takes feedback, as `encodeFeedback` writes it, and answers with its function's failures. */
  readonly feedback?: boolean;
  /** The supervisor's name for the process or container that this replica runs in. */
  readonly instance?: string;
}

/** An error that a function threw in a replica. */
export interface RemoteError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
}

/** Parses the text of a failed output. If it is not a RemoteError, the text becomes the message. */
export function readRemoteError(text: string): RemoteError {
  try {
    const { name, message, stack } = JSON.parse(text) as Record<string, unknown>;
    if (typeof name === 'string' && typeof message === 'string') {
      return { name, message, ...(typeof stack === 'string' ? { stack } : {}) };
    }
  } catch {}
  return { name: 'Error', message: text };
}

/** From a replica to the server. */
export type ContainerMessage =
  | { readonly kind: 'heartbeat' }
  | {
      readonly kind: 'newContainer';
      readonly modelName: string;
      readonly modelVersion: string;
      readonly inputType: InputType;
      readonly rpcVersion: number;
      readonly extensions?: Extensions;
    }
  | ({ readonly kind: 'response'; readonly messageId: number } & Outputs);

/** From the server to a replica. */
export type ServerMessage =
  | { readonly kind: 'heartbeat'; readonly requestMetadata: boolean }
  | ({ readonly kind: 'request'; readonly messageId: number; readonly request: keyof typeof requests } & Inputs);

const delimiter = new Uint8Array(0);

/** The frames of a replica's message, delimiter first. */
export function encodeContainerMessage(message: ContainerMessage, form: OutputForm = 'clipper'): Uint8Array[] {
  switch (message.kind) {
    case 'heartbeat':
      return [delimiter, u32(types.heartbeat)];
    case 'newContainer': {
      const { modelName, modelVersion, inputType, extensions } = message;
      const frames = [utf8(modelName), utf8(modelVersion), utf8(String(inputTypeCode(inputType)))];
      const announced = [delimiter, u32(types.newContainer), ...frames, u32(message.rpcVersion)];
      return extensions === undefined ? announced : [...announced, utf8(JSON.stringify(extensions))];
    }
    case 'response':
      return [delimiter, u32(types.content), u32(message.messageId), ...encodeOutputs(message, form)];
    default:
      throw new TypeError(`No encoding for ${String(message satisfies never)}`);
  }
}

/** Decodes a replica's message from its frames, delimiter first. Throws E_PROTOCOL. */
export function decodeContainerMessage(frames: readonly Uint8Array[]): ContainerMessage {
  if (frames[0]?.byteLength !== 0) throw unexpected('first frame', 'an empty delimiter', `${frames[0]?.byteLength} bytes`);
  const type = readU32(frames[1], 'message type');
  if (type === types.heartbeat) return { kind: 'heartbeat' };
  if (type === types.newContainer) return decodeNewContainer(frames);
  if (type === types.content) return decodeResponse(frames);
  throw unexpected('message type', '0, 1 or 2', type);
}

function decodeNewContainer(frames: readonly Uint8Array[]): ContainerMessage {
  if (frames.length < 6 || frames.length > 7) throw unexpected('frame count of a new container', '6 or 7', frames.length);
  const [, , name, version, type, , extensions] = frames.map((frame) => textOf(frame));
  return {
    kind: 'newContainer',
    modelName: name ?? '',
    modelVersion: version ?? '',
    inputType: inputTypeOfCode(/^\d$/.test(type ?? '') ? Number(type) : Number.NaN),
    rpcVersion: readU32(frames[5], 'RPC version'),
    ...(extensions === undefined ? {} : { extensions: decodeExtensions(extensions) }),
  };
}

function decodeExtensions(text: string): Extensions {
  try {
    const { errors, packed, feedback, instance } = JSON.parse(text) as Record<string, unknown>;
    return {
      errors: errors === true,
      ...(packed === true ? { packed } : {}),
      ...(feedback === true ? { feedback } : {}),
      ...(typeof instance === 'string' ? { instance } : {}),
    };
  } catch (error) {
    throw new ClipperError('E_PROTOCOL', 'Expected JSON in the extensions frame', { cause: error });
  }
}

function decodeResponse(frames: readonly Uint8Array[]): ContainerMessage {
  const messageId = readU32(frames[2], 'message id');
  checkHeaderSize(frames[3], frames[4]);
  return { kind: 'response', messageId, ...decodeOutputs(frames[4], frames.slice(5)) };
}

/** A response's message id, even if the rest is malformed. */
export function messageIdOf([, type, messageId]: readonly Uint8Array[]): number | undefined {
  const isResponse = type?.byteLength === 4 && readU32(type, 'message type') === types.content;
  return isResponse && messageId?.byteLength === 4 ? readU32(messageId, 'message id') : undefined;
}

function checkHeaderSize(sizeFrame: Uint8Array | undefined, header: Uint8Array | undefined): void {
  const [size] = readU64s(sizeFrame, 'header size');
  if (header === undefined || size !== header.byteLength)
    throw unexpected('header size', String(header?.byteLength ?? 'a header'), size);
}

/** The frames of a server's message, delimiter first. */
export function encodeServerMessage(message: ServerMessage, isPacked = false): Uint8Array[] {
  switch (message.kind) {
    case 'heartbeat': {
      const what = message.requestMetadata ? heartbeats.requestMetadata : heartbeats.keepAlive;
      return [delimiter, u32(rpcVersion), u32(types.heartbeat), u32(what)];
    }
    case 'request': {
      const head = [delimiter, u32(rpcVersion), u32(types.content), u32(message.messageId), u32(requests[message.request])];
      return [...head, ...encodeInputs(message, isPacked)];
    }
    default:
      throw new TypeError(`No encoding for ${String(message satisfies never)}`);
  }
}

/** Decodes a server's message from its frames, delimiter first. Throws E_PROTOCOL, also for another RPC version. */
export function decodeServerMessage(frames: readonly Uint8Array[]): ServerMessage {
  if (frames[0]?.byteLength !== 0) throw unexpected('first frame', 'an empty delimiter', `${frames[0]?.byteLength} bytes`);
  const version = readU32(frames[1], 'RPC version');
  if (version !== rpcVersion) {
    throw new ClipperError('E_PROTOCOL', `The server speaks RPC version ${version}, this container speaks ${rpcVersion}`);
  }
  const type = readU32(frames[2], 'message type');
  if (type === types.heartbeat) {
    return { kind: 'heartbeat', requestMetadata: readU32(frames[3], 'heartbeat type') === heartbeats.requestMetadata };
  }
  if (type !== types.content) throw unexpected('message type', '1 or 2', type);
  return decodeRequest(frames);
}

function decodeRequest(frames: readonly Uint8Array[]): ServerMessage {
  const messageId = readU32(frames[3], 'message id');
  const request = readU32(frames[4], 'request type') === requests.feedback ? 'feedback' : 'predict';
  checkHeaderSize(frames[5], frames[6]);
  return { kind: 'request', messageId, request, ...decodeInputs(frames[6], frames.slice(7)) };
}
