import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { asClipperError, type ErrorCode } from '../errors.ts';
import { createLog } from '../log.ts';
import { addonError } from '../util/runtime.ts';
import type { ServeOptions } from './parts.ts';
import type { RunningServer } from './serve.ts';

/** What the program is given: as a message, for an argument is there for all to see, or as JSON in its first argument. */
export interface ServerProgramOptions extends ServeOptions {
  /** Whether the server outlives the process that started it. */
  readonly detached: boolean;
  /** Whether its folder goes with it. */
  readonly removeStateDir: boolean;
}

/** What it says to the process that started it. */
export type ServerProgramMessage =
  | { readonly kind: 'ready'; readonly queryPort: number; readonly managementPort: number; readonly token: string | undefined }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly summary: string; readonly fix: string | undefined };

const say = (message: ServerProgramMessage): Promise<void> =>
  new Promise((resolve) => (process.send === undefined ? resolve() : process.send(message, () => resolve())));

/** The program of a server's process. */
async function main(options: ServerProgramOptions): Promise<void> {
  const log = createLog({ cluster: options.name });
  let serving: Promise<RunningServer> | undefined;
  let isStopping = false;
  const stop = async (why: string): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    log.info({ why }, 'the server stops');
    // One that is just being started has made things already that only it takes away.
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
