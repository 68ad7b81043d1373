import { ClipperError, isClipperError } from '../errors.ts';
import { type RemoteError, readRemoteError } from '../protocol/messages.ts';
import { cancelled } from '../replicas/supervisor.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import { deferred } from '../util/deferred.ts';

const sampleTimeoutMs = 30_000;

interface AskOptions {
  readonly signal: AbortSignal;
  /** The end of a replica's log. */
  readonly tailOf: (instance: string) => Promise<string>;
}

/** Checks that a replica answers an input. Throws E_SAMPLE_FAILED, E_CANCELLED. */
export async function askSample(replica: RpcReplica, sample: Uint8Array, { signal, tailOf }: AskOptions): Promise<void> {
  try {
    await ask(replica, sample, signal);
  } catch (error) {
    if (!isClipperError(error) || error.code !== 'E_REPLICA_LOST') throw error;
    const { instance = '' } = replica;
    const message = `The replica ended while it computed the sample: ${error.message}. The end of its log`;
    throw new ClipperError('E_SAMPLE_FAILED', `${message}:\n${await tailOf(instance)}`, { cause: error });
  }
}

async function ask(replica: RpcReplica, sample: Uint8Array, signal: AbortSignal): Promise<void> {
  const given = deferred<never>();
  const abort = (): void => given.reject(cancelled());
  const message = `The sample was not answered within ${sampleTimeoutMs / 1_000} s`;
  const late = setTimeout(() => given.reject(new ClipperError('E_SAMPLE_FAILED', message)), sampleTimeoutMs);
  signal.addEventListener('abort', abort);
  try {
    const { outputs } = await Promise.race([replica.predict([sample]), given.promise]);
    const [output] = outputs;
    if (output?.failed === true) throw sampleFailed(readRemoteError(output.text));
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', abort);
  }
}

const sampleFailed = ({ name, message, stack }: RemoteError): ClipperError =>
  new ClipperError(
    'E_SAMPLE_FAILED',
    `The function failed on the sample with ${name}: ${message}\n\nIn the replica:\n${stack ?? '(no stack)'}`,
  );
