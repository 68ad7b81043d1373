import { ClipperError } from '../errors.ts';
import { ownRequire } from '../util/package-files.ts';
import { addonError } from '../util/runtime.ts';

/** `curve`: RPC is encrypted, and connections without the server's key are refused. */
export type RpcSecurity = 'none' | 'curve';

export interface CurveKeys {
  readonly publicKey: string;
  readonly secretKey: string;
}

/** Loaded only when keys are made, so that processes without replicas don't need the native add-on. */
function zeromq(): typeof import('zeromq') {
  try {
    return ownRequire('zeromq') as typeof import('zeromq');
  } catch (error) {
    throw addonError(error);
  }
}

/** A new key pair for a server; undefined without encryption. Throws E_INVALID_OPTION if this system's zeromq lacks CURVE. */
export function serverKeys(security: RpcSecurity): CurveKeys | undefined {
  if (security === 'none') return undefined;
  const { capability, curveKeyPair } = zeromq();
  if (capability.curve === true) return curveKeyPair();
  throw new ClipperError(
    'E_INVALID_OPTION',
    "rpcSecurity: 'curve' needs a zeromq that was built with CURVE, and this system's was not",
  );
}

/** The environment variables by which a replica authenticates: the server's public key, and a key pair of its own. */
export function curveVariables(serverKey: string | undefined): Record<string, string> {
  if (serverKey === undefined) return {};
  const { publicKey, secretKey } = zeromq().curveKeyPair();
  return { CLIPPER_CURVE_SERVER_KEY: serverKey, CLIPPER_CURVE_PUBLIC_KEY: publicKey, CLIPPER_CURVE_SECRET_KEY: secretKey };
}
