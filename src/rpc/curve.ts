import { ClipperError } from '../errors.ts';
import { ownRequire } from '../util/package-files.ts';
import { addonError } from '../util/runtime.ts';

/** Whether RPC is encrypted, and refused to those who don't have the server's key. */
export type RpcSecurity = 'none' | 'curve';

export interface CurveKeys {
  readonly publicKey: string;
  readonly secretKey: string;
}

/** Loaded where keys are made: those who start no replicas need no add-on. */
function zeromq(): typeof import('zeromq') {
  try {
    return ownRequire('zeromq') as typeof import('zeromq');
  } catch (error) {
    throw addonError(error);
  }
}

/** A pair of keys of a server, where it is to have one. Throws E_INVALID_OPTION where this system's zeromq has no CURVE. */
export function serverKeys(security: RpcSecurity): CurveKeys | undefined {
  if (security === 'none') return undefined;
  const { capability, curveKeyPair } = zeromq();
  if (capability.curve === true) return curveKeyPair();
  throw new ClipperError(
    'E_INVALID_OPTION',
    "rpcSecurity: 'curve' needs a zeromq that was built with CURVE, and this system's was not",
  );
}

/** The variables that a replica shows itself to a server with: the server's key, and a pair of its own. */
export function curveVariables(serverKey: string | undefined): Record<string, string> {
  if (serverKey === undefined) return {};
  const { publicKey, secretKey } = zeromq().curveKeyPair();
  return { CLIPPER_CURVE_SERVER_KEY: serverKey, CLIPPER_CURVE_PUBLIC_KEY: publicKey, CLIPPER_CURVE_SECRET_KEY: secretKey };
}
