import { userInfo } from 'node:os';
import { ClipperError, type ErrorCode, messageOf } from '../errors.ts';

/** An error as dockerode throws it. */
interface EngineError {
  readonly statusCode?: number;
  readonly code?: string;
  readonly json?: { readonly message?: string };
}

/** The HTTP status of the engine's refusal; undefined if there was no response. */
export const statusOf = (error: unknown): number | undefined => (error as EngineError | undefined)?.statusCode;

/** The engine's own message. */
export const reasonOf = (error: unknown): string => (error as EngineError | undefined)?.json?.message ?? messageOf(error).trim();

/** Whether the error carries an engine's message. */
export const hasReason = (error: unknown): boolean => (error as EngineError | undefined)?.json?.message !== undefined;

const lostCodes = new Set([
  ...['ENOENT', 'ENOTSOCK', 'ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE'],
  ...['ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
]);

/** Whether the engine could not be reached. */
export const isUnreachable = (error: unknown): boolean =>
  lostCodes.has((error as EngineError).code ?? '') || (error as ClipperError).code === 'E_DOCKER_UNAVAILABLE';

/** Turns an engine's error into ours: what was tried, the engine's message, and a fix. */
export function engineError(error: unknown, what: string, code: ErrorCode, address: string): ClipperError {
  if (error instanceof ClipperError) return error;
  const { code: systemCode } = error as EngineError;
  if (systemCode === 'EACCES') return notAllowed(address, error);
  if (isUnreachable(error)) return notThere(address, error);
  const reason = reasonOf(error);
  const fix = fixes.find(([pattern]) => pattern.test(reason))?.[1];
  return new ClipperError(code, `${what}: ${reason}`, { fix, cause: error });
}

const fixes: readonly (readonly [RegExp, string])[] = [
  [
    /no space left|disk quota/i,
    'the disk of the Docker engine is full; see `docker system df`, and free some with `docker system prune`',
  ],
  [/could not select device driver/i, "install NVIDIA's container toolkit on the engine's machine, or leave resources.gpus out"],
  [/address pools? .*(?:subnet|exhausted|defined)/i, 'remove networks that are not used: `docker network prune`'],
];

const notThere = (address: string, cause: unknown): ClipperError =>
  new ClipperError('E_DOCKER_UNAVAILABLE', `No Docker engine answers at ${address}: ${messageOf(cause)}`, {
    fix: `start it (\`sudo systemctl start docker\`, or Docker Desktop), or set DOCKER_HOST to where it is; the backend 'process' needs none`,
    cause,
  });

const notAllowed = (address: string, cause: unknown): ClipperError =>
  new ClipperError('E_DOCKER_UNAVAILABLE', `The user ${userInfo().username} may not use the Docker engine at ${address}`, {
    fix: `\`sudo usermod -aG docker ${userInfo().username}\`, then log in again: the group \`docker\` owns the socket`,
    cause,
  });
