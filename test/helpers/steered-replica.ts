import type { Output } from '../../src/protocol/content.ts';
import type { InputValues } from '../../src/protocol/input-types.ts';
import { type Deferred, deferred } from '../../src/util/deferred.ts';
import { type Replica, startReplica } from './replica.ts';
import { until } from './until.ts';

/** A batch that a replica was given and has not answered. */
export interface HeldBatch {
  readonly values: readonly number[];
  /** Answers each input with this text and the input. */
  answer(prefix?: string): void;
}

/** A replica of doubles that answers when the test says so. */
export interface SteeredReplica extends Replica {
  readonly batches: readonly HeldBatch[];
  batch(index: number): Promise<HeldBatch>;
}

export function startSteeredReplica(environment: Parameters<typeof startReplica>[1]): SteeredReplica {
  const batches: HeldBatch[] = [];
  const unanswered = new Set<Deferred<Output[]>>();
  const replica = startReplica((_type, inputs) => {
    const held = deferred<Output[]>();
    unanswered.add(held);
    const values = (inputs as readonly InputValues['doubles'][]).map(([value = 0]) => value);
    const answer = (prefix = ''): void => {
      unanswered.delete(held);
      held.resolve(values.map((value) => ({ text: `${prefix}${value}`, failed: false })));
    };
    batches.push({ values, answer });
    return held.promise;
  }, environment);
  const stop = async (): Promise<void> => {
    for (const { reject } of unanswered) reject(new Error('the test is over'));
    await replica[Symbol.asyncDispose]();
  };
  return {
    service: replica.service,
    batches,
    batch: (index) => until(() => batches[index], `batch ${index}`),
    [Symbol.asyncDispose]: stop,
  };
}
