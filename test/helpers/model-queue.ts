import { type ServingSettings, servingDefaults } from '../../src/contract/serving.ts';
import { ModelMetrics } from '../../src/metrics/counted.ts';
import { encodeInput } from '../../src/protocol/input-types.ts';
import type { RpcReplica } from '../../src/rpc/rpc-replica.ts';
import type { Computation, ComputationResult } from '../../src/serving/computation.ts';
import { ModelQueue } from '../../src/serving/model-queue.ts';
import type { ObservedRpcServer } from './rpc.ts';
import { type SteeredReplica, startSteeredReplica } from './steered-replica.ts';

export type Asked = Computation & { isWanted: boolean; readonly results: ComputationResult[] };

const someApplication = { name: 'a' };

/** A computation that remembers its results. */
export function query(value: number, lifeMs = 10_000, application: object = someApplication): Asked {
  const results: ComputationResult[] = [];
  const receivedAt = performance.now();
  const asked: Asked = {
    application,
    input: encodeInput(Float64Array.of(value)),
    receivedAt,
    deadline: receivedAt + lifeMs,
    lastDeadline: receivedAt + lifeMs,
    inFlight: undefined,
    copies: 0,
    isWanted: true,
    isRetried: false,
    results,
    finish: (result) => {
      asked.isWanted = false;
      results.push(result);
    },
  };
  return asked;
}

export const enqueue = (queue: ModelQueue, ...values: number[]) => {
  const queries = values.map((value) => query(value));
  for (const each of queries) queue.enqueue(each);
  return queries;
};

export const queueOf = (batchSize: number, settings: Partial<ServingSettings> = {}): ModelQueue =>
  new ModelQueue(() => ({ ...servingDefaults, batchSize, ...settings }), new ModelMetrics());

export const answered = (text: string): ComputationResult => ({ kind: 'answered', output: { text, failed: false } });

/** Starts the nth replica and waits until it is connected. */
export async function connect(
  rpc: ObservedRpcServer,
  nth: number,
  environment: object = { packedExtension: false },
): Promise<{ steered: SteeredReplica; replica: RpcReplica }> {
  const steered = startSteeredReplica({ port: rpc.port, instance: `i${nth}`, ...environment });
  return { steered, replica: await rpc.replica(nth) };
}
