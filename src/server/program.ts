import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { asClipperError, type ErrorCode } from '../errors.ts';
import { createLog } from '../log.ts';
import { addonError } from '../util/runtime.ts';
import type { ServeOptions } from './parts.ts';
import type { RunningServer } from './serve.ts';

/**
 * The program's options. They come as a message, since arguments are visible to all users, or as JSON in the first
 * argument.
 */
export interface ServerProgramOptions extends ServeOptions {
  /** Whether the server outlives the process that started it. */
  readonly detached: boolean;
  /** Whether to remove `stateDir` at the end. */
  readonly removeStateDir: boolean;
}

/** Messages to the parent process. */
export type ServerProgramMessage =
  | { readonly kind: 'ready'; readonly queryPort: number; readonly managementPort: number; readonly token: string | undefined }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly summary: string; readonly fix: string | undefined };

const say = (message: ServerProgramMessage): Promise<void> =>
  new Promise((resolve) => (process.send === undefined ? resolve() : process.send(message, () => resolve())));

/** The server process. */
async function main(options: ServerProgramOptions): Promise<void> {
  const log = createLog({ cluster: options.name });
  let serving: Promise<RunningServer> | undefined;
  let isStopping = false;
  const stop = async (why: string): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    log.info({ why }, 'the server stops');
    // A server that is still starting may have created things that only it can remove.
    const server = await serving?.catch(() => undefined);
    await server?.[Symbol.asyncDispose]();
    if (options.removeStateDir) await rm(options.stateDir, { recursive: true, force: true });
    process.exit(0);
  };
  process.on('SIGTERM', () => stop('SIGTERM')).on('SIGINT', () => stop('SIGINT'));
  if (!options.detached) process.once('disconnect', () => stop('the process that started it ended'));
  const { serve } = await import('./serve.ts').catch((error: unknown) => {
    throw addonError(error);
  });
  serving = serve(options, log, () => stop('a client asked for it'));
  const server = await serving;
  const { queryPort, managementPort, rpcPort, token } = server;
  log.info({ queryPort, managementPort, rpcPort }, 'the server is up');
  await say({ kind: 'ready', queryPort, managementPort, token });
  if (options.detached && process.connected) process.disconnect();
}

async function givenOptions(): Promise<ServerProgramOptions> {
  const [, , argument] = process.argv;
  const [given] = argument === undefined ? await once(process, 'message') : [JSON.parse(argument)];
  return given as ServerProgramOptions;
}

givenOptions()
  .then(main)
  .catch(async (error: unknown) => {
    console.error(error);
    const { code, summary, fix } = asClipperError(error, 'E_SERVER_EXITED');
    await say({ kind: 'failed', code, summary, fix });
    process.exit(1);
  });
