import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { prepareCapture } from '../closure/capture-closure.ts';
import { backendSchema, backends } from '../contract/backends.ts';
import { type ClusterInfo, getCluster } from '../contract/cluster.ts';
import { checkName } from '../control/names.ts';
import { isRedisUrl, redisUrlRule } from '../control/redis-url.ts';
import { ClipperError, messageOf } from '../errors.ts';
import type { ServerProgramMessage, ServerProgramOptions } from '../server/program.ts';
import { urlsOf } from '../util/addresses.ts';
import { resolveOptions } from '../util/options.ts';
import { serverProgram } from '../util/package-files.ts';
import { tlsSchema } from '../util/pem.ts';
import { checkRuntime } from '../util/runtime.ts';
import { makeStateDir, sweepStateDirs, userStateDir } from '../util/state-dir.ts';
import { checkToken } from '../util/token-file.ts';
import { z } from '../util/zod.ts';
import { bearerHeaders, keyHeaders } from './api-key.ts';
import { apiKeyOption } from './connect.ts';
import { ClipperConnection, type ConnectionParts } from './connection.ts';
import { prepareImages } from './model-build.ts';
import { RestClient } from './rest-client.ts';
import { trustOwn } from './trust.ts';

export { type ConnectOptions, connectClipper } from './connect.ts';

const port = (standard: number, what: string): z.ZodDefault<z.ZodNumber> =>
  z.number().int().min(0).max(65_535).default(standard).describe(`Port of the ${what}; 0: any free one.`);

const StartOptions = z.strictObject({
  name: z.string().default('default').describe("The cluster's name."),
  backend: backendSchema.default('process').describe('Where replicas run: as child processes, or in containers.'),
  host: z.string().default('127.0.0.1').describe('The address to listen on for queries and replicas.'),
  managementHost: z.string().default('127.0.0.1').describe('The one for management; others than loopback ask for a token.'),
  token: z.string().optional().describe('What management asks for; left out: nothing on loopback, else one is made.'),
  queryPort: port(1337, 'query REST'),
  managementPort: port(1338, 'management REST'),
  rpcPort: port(7000, "replicas' RPC"),
  rpcSecurity: z
    .enum(['none', 'curve'])
    .default('none')
    .describe("'curve': RPC is encrypted, and refused to those without the key."),
  stateDir: z
    .string()
    .optional()
    .describe(
      "Where state, bundles and logs are kept; left out: a folder that goes with the server or, detached, one in the user's home.",
    ),
  state: z
    .string()
    .refine(isRedisUrl, { error: redisUrlRule, params: { isSecret: true } })
    .optional()
    .describe("The URL of a Redis that keeps the cluster's state, redis://host:port; left out: it is kept in stateDir."),
  tls: tlsSchema.optional().describe('Has both REST ports speak https.'),
  cacheBytes: z
    .number()
    .int()
    .min(0)
    .default(32 * 2 ** 20)
    .describe('Size of the prediction cache; 0: none.'),
  maxBodyBytes: z
    .number()
    .int()
    .positive()
    .default(64 * 2 ** 20)
    .describe('The largest request body that is taken.'),
  maxConnections: z
    .number()
    .int()
    .positive()
    .default(10_000)
    .describe('To each REST port at once; more are closed as they come.'),
  apiKey: apiKeyOption,
  detached: z.boolean().default(false).describe('Whether the server outlives this process.'),
  signal: z.instanceof(AbortSignal).optional().describe('Gives up the start.'),
});
/** The server to start. */
export type StartOptions = z.input<typeof StartOptions>;

const startTimeoutMs = 30_000;
const stopTimeoutMs = 15_000;

/**
 * Starts a server in a process of its own and connects to it. The server and its replicas end with this process unless
 * `detached`; until then they keep it alive, as a listening HTTP server would. Throws E_CLUSTER_EXISTS, E_PORT_IN_USE,
 * E_STORE_FAILED,
 * E_SERVER_EXITED with the end of its log, E_CANCELLED.
 */
export async function startClipper(options: StartOptions = {}): Promise<ClipperConnection> {
  checkRuntime();
  const { signal, stateDir, apiKey, ...serve } = resolveOptions(StartOptions, options, 'startClipper');
  checkName(serve.name, 'cluster name');
  checkToken(serve.token);
  keyHeaders(apiKey);
  if (signal?.aborted === true) throw new ClipperError('E_CANCELLED', 'The start of the server was cancelled');
  const trust = serve.tls === undefined ? undefined : await trustOwn(serve.tls);
  const swept = sweepStateDirs();
  const isTemporary = stateDir === undefined && !serve.detached;
  const dir = isTemporary ? await makeStateDir(serve.name) : await madeDir(resolve(stateDir ?? userStateDir(serve.name)));
  const program = { ...serve, stateDir: dir, removeStateDir: isTemporary };
  const child = await spawnServer(program);
  const ended = new AbortController();
  const end = (): Promise<void> => {
    ended.abort();
    return stopServer(child, program);
  };
  try {
    // While the server boots, to speed up the first deploy.
    prepareCapture();
    // An error here comes again in a deploy, which reports it.
    if (backends[serve.backend].runs === 'image')
      void prepareImages(AbortSignal.any([ended.signal, ...(signal ? [signal] : [])])).catch(() => {});
    const { token, ...ports } = await untilReady(child, program, signal);
    await swept;
    if (serve.detached) child.unref();
    else child.once('exit', (code, killedBy) => warnOfEnd(child, serve.name, killedBy ?? code));
    const parts = { ...urlsOf(serve, ports), token, apiKey, trust };
    return new ClipperConnection({
      ...parts,
      cluster: await askCluster(parts),
      stopServer: serve.detached ? undefined : end,
    });
  } catch (error) {
    await end();
    throw error;
  }
}

async function madeDir(dir: string): Promise<string> {
  // Bundles hold captured values: only their owner may read them.
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new ClipperError('E_INVALID_OPTION', `The stateDir ${dir} can't be made: ${messageOf(error)}`, { cause: error });
  });
  return dir;
}

async function askCluster({
  managementUrl,
  token,
  trust,
}: Pick<ConnectionParts, 'managementUrl' | 'token' | 'trust'>): Promise<ClusterInfo> {
  const management = new RestClient(managementUrl, { headers: bearerHeaders(token), trust });
  return management.read(getCluster);
}

async function spawnServer(options: ServerProgramOptions): Promise<ChildProcess> {
  const log = await open(join(options.stateDir, 'server.log'), 'a');
  try {
    const child = spawn(process.execPath, [serverProgram], {
      // In its own process group: Ctrl-C in a terminal is for this process, whose end the server notices by the channel.
      detached: true,
      env: process.env,
      stdio: ['ignore', log.fd, log.fd, 'ipc'],
    });
    child.send(options);
    return child;
  } finally {
    await log.close();
  }
}

type Ready = Extract<ServerProgramMessage, { kind: 'ready' }>;

async function untilReady(child: ChildProcess, options: ServerProgramOptions, signal: AbortSignal | undefined): Promise<Ready> {
  const timeout = AbortSignal.timeout(startTimeoutMs);
  // After all that it wrote before it ended has been read.
  const ended = once(child, 'close').then(() => undefined);
  const given = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  try {
    const told = once(child, 'message', { signal: given }).then(([message]) => message as ServerProgramMessage);
    const message = await Promise.race([told, ended]);
    if (message?.kind === 'ready') return message;
    if (message !== undefined && message.code !== 'E_SERVER_EXITED') {
      throw new ClipperError(message.code, message.summary, { fix: message.fix });
    }
    const why = message === undefined ? '' : `: ${message.summary}`;
    const tail = await logTail(options);
    throw new ClipperError('E_SERVER_EXITED', `The server ended before it was ready${why}. The end of its log:\n${tail}`);
  } catch (error) {
    if (signal?.aborted === true)
      throw new ClipperError('E_CANCELLED', 'The start of the server was cancelled', { cause: error });
    if (!timeout.aborted) throw error;
    const message = `The server was not ready within ${startTimeoutMs / 1_000} s. The end of its log:\n${await logTail(options)}`;
    throw new ClipperError('E_SERVER_EXITED', message, { cause: error });
  }
}

/** Warns a program that only waits, which would otherwise end silently with its server. */
function warnOfEnd(child: ChildProcess, name: string, how: NodeJS.Signals | number | null): void {
  // It ends with code 0 when a client asks it to.
  if (stopping.has(child) || how === 0) return;
  const end = typeof how === 'string' ? `signal ${how}` : `code ${how}`;
  process.stderr.write(`clipper: the server of the cluster ${name} ended by itself, with ${end}: nothing is served any more\n`);
}

/** Servers that were stopped on purpose. */
const stopping = new WeakSet<ChildProcess>();

async function logTail({ stateDir }: ServerProgramOptions): Promise<string> {
  const text = await readFile(join(stateDir, 'server.log'), 'utf8').catch(messageOf);
  return text.trimEnd().split('\n').slice(-20).join('\n');
}

/** Asks the server to end, kills it if it doesn't, and removes what it left. */
async function stopServer(child: ChildProcess, { stateDir, removeStateDir }: ServerProgramOptions): Promise<void> {
  stopping.add(child);
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    await ended;
    clearTimeout(force);
  }
  if (removeStateDir) await rm(stateDir, { recursive: true, force: true });
}
