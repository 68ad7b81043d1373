import { backendSchema } from '../contract/backends.ts';
import { getCluster, ping } from '../contract/cluster.ts';
import { isClipperError } from '../errors.ts';
import { resolveOptions } from '../util/options.ts';
import { checkToken } from '../util/token-file.ts';
import { z } from '../util/zod.ts';
import { bearerHeaders } from './api-key.ts';
import { ClientRunReplicas, splitAddress } from './client-run-replicas.ts';
import { ClipperConnection } from './connection.ts';
import { findToken, localCluster, namedCluster } from './local-cluster.ts';
import { RestClient } from './rest-client.ts';
import { trustAuthority } from './trust.ts';

export const apiKeyOption = z
  .string()
  .optional()
  .describe('The key that its queries are asked with, unless they have their own.');

const ConnectOptions = z.strictObject({
  name: z.string().optional().describe('A cluster of yours that runs on this machine, in place of its addresses.'),
  host: z.string().default('127.0.0.1'),
  managementPort: z.number().int().min(1).max(65_535).default(1338),
  queryPort: z.number().int().min(1).max(65_535).optional().describe("Left out: as a server of ours says, else Clipper's 1337."),
  managementUrl: z.url().optional().describe('In place of host and managementPort.'),
  queryUrl: z.url().optional().describe('In place of host and queryPort.'),
  rpcAddress: z
    .string()
    .optional()
    .describe("host:port of the container RPC of Berkeley's server, to run replicas for it from here."),
  backend: backendSchema.default('process').describe('Where those replicas run.'),
  ca: z.string().optional().describe('What signed the certificate of an https server: PEM, or a file of it.'),
  apiKey: apiKeyOption,
  token: z
    .string()
    .optional()
    .describe("The cluster's; left out: CLIPPER_TOKEN, or as a running cluster of this machine has it."),
});
/** Which server to connect to, and how. */
export type ConnectOptions = z.input<typeof ConnectOptions>;

/**
 * Connects to a running server: one of ours, or Berkeley's Clipper by its addresses. Throws E_SERVER_UNREACHABLE, E_UNAUTHORIZED.
 */
export async function connectClipper(options: ConnectOptions = {}): Promise<ClipperConnection> {
  const {
    name,
    host,
    managementPort,
    queryPort,
    token: given,
    apiKey,
    ca,
    rpcAddress,
    backend,
    ...urls
  } = resolveOptions(ConnectOptions, options, 'connectClipper');
  const named = name === undefined ? undefined : await namedCluster(name);
  const managementUrl = trimmed(named?.managementUrl ?? urls.managementUrl ?? `http://${host}:${managementPort}`);
  const local = named ?? (await localCluster(managementUrl));
  const token = checkToken(given) ?? (await findToken(local));
  const trust = await trustAuthority(ca);
  const management = new RestClient(managementUrl, { headers: bearerHeaders(token), trust });
  await management.read(ping);
  // Berkeley's server has no such path, and closes the connection.
  const cluster = await management.read(getCluster).catch(unlessRefused);
  const { protocol, hostname } = new URL(managementUrl);
  const queryAddress = `${protocol}//${hostname}:${queryPort ?? cluster?.queryPort ?? 1337}`;
  const queryUrl = trimmed(urls.queryUrl ?? (queryPort === undefined ? local?.queryUrl : undefined) ?? queryAddress);
  if (rpcAddress !== undefined) splitAddress(rpcAddress);
  // Our server starts its replicas itself.
  const runsNone = cluster === undefined && rpcAddress !== undefined;
  const ownReplicas = runsNone ? new ClientRunReplicas({ backend, rpcAddress, management }) : undefined;
  return new ClipperConnection({ queryUrl, managementUrl, token, apiKey, trust, cluster, stopServer: undefined, ownReplicas });
}

/** Ignores a missing path, but not a refusal of this client. */
function unlessRefused(error: unknown): undefined {
  if (isClipperError(error) && ['E_UNAUTHORIZED', 'E_FORBIDDEN'].includes(error.code)) throw error;
}

const trimmed = (url: string): string => url.replace(/\/+$/, '');
