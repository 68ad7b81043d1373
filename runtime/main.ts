import { inspect } from 'node:util';
import { loadBundle } from './bundle.ts';
import { readEnvironment } from './environment.ts';
import { RPCService } from './rpc-service.ts';

/** The main program of a replica: loads the bundle at CLIPPER_MODEL_PATH and serves it. */
async function main(): Promise<void> {
  const environment = readEnvironment();
  const service = new RPCService(environment);
  // A replica that is a child process of the server has an IPC channel to it, and must not outlive it.
  process.once('disconnect', () => process.exit(0));
  const earlyStop = (): never => process.exit(0);
  process.once('SIGTERM', earlyStop);
  const { answers, feedback } = await loadBundle(environment.modelPath);
  process.off('SIGTERM', earlyStop);
  await service.start(answers, feedback);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(
      error instanceof Error ? (error.stack ?? error.message) : `Something other than an Error was thrown: ${inspect(error)}`,
    );
    process.exit(1);
  },
);
