import { ClipperError } from '../src/errors.ts';
import { type InputType, parseInputType } from '../src/protocol/input-types.ts';

export interface CurveClient {
  readonly curveServerKey: string;
  readonly curvePublicKey: string;
  readonly curveSecretKey: string;
}

/** Clipper's environment variables of a container. */
export interface ContainerEnvironment {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly host: string;
  readonly port: number;
  readonly inputType: InputType;
  readonly modelPath: string;
  readonly readyFile: string;
  /** Whether the server understands errors in answers. Clipper's own server does not. */
  readonly errorsExtension: boolean;
  /** Whether the server also understands batches packed into one frame. */
  readonly packedExtension: boolean;
  /** The keys of an encrypted RPC connection, as zeromq expects them. Undefined if the connection isn't encrypted. */
  readonly curve: CurveClient | undefined;
  /** The supervisor's name for this replica, if it has one. */
  readonly instance: string | undefined;
}

/** Reads Clipper's environment variables. Throws E_INVALID_OPTION with the name of a missing or invalid variable. */
export function readEnvironment(env: NodeJS.ProcessEnv = process.env): ContainerEnvironment {
  const port = Number(env.CLIPPER_PORT ?? 7000);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new ClipperError('E_INVALID_OPTION', `CLIPPER_PORT must be a port from 1 to 65535, got "${env.CLIPPER_PORT}"`);
  }
  const extensions = (env.CLIPPER_RPC_EXTENSIONS ?? '').split(',');
  return {
    modelName: required(env, 'CLIPPER_MODEL_NAME'),
    modelVersion: required(env, 'CLIPPER_MODEL_VERSION'),
    host: env.CLIPPER_IP ?? '127.0.0.1',
    port,
    inputType: parseInputType(env.CLIPPER_INPUT_TYPE ?? 'doubles'),
    modelPath: env.CLIPPER_MODEL_PATH ?? '/model',
    readyFile: env.CLIPPER_READY_FILE ?? '/model_is_ready.check',
    errorsExtension: extensions.includes('errors'),
    packedExtension: extensions.includes('packed'),
    curve: readCurve(env),
    instance: env.CLIPPER_INSTANCE,
  };
}

/** Returns all three keys, or undefined if the server's key isn't set. */
function readCurve(env: NodeJS.ProcessEnv): CurveClient | undefined {
  if (env.CLIPPER_CURVE_SERVER_KEY === undefined) return undefined;
  return {
    curveServerKey: env.CLIPPER_CURVE_SERVER_KEY,
    curvePublicKey: required(env, 'CLIPPER_CURVE_PUBLIC_KEY'),
    curveSecretKey: required(env, 'CLIPPER_CURVE_SECRET_KEY'),
  };
}

function required(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (value === undefined || value === '') {
    throw new ClipperError('E_INVALID_OPTION', `The environment variable ${name} must be set`);
  }
  return value;
}
