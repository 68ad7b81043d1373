import { setTimeout } from 'node:timers/promises';
import type { ClipperConnection } from '../../src/client/connection.ts';
import type { Prediction } from '../../src/client/wire.ts';

export interface Answered extends Prediction {
  readonly input: number;
  readonly ms: number;
}

/** Queries an endpoint all the time, each with another input. `stop` returns what was answered; throws what a query threw. */
export function queryLoad(clipper: ClipperConnection, application: string): { stop(): Promise<readonly Answered[]> } {
  const answers: Answered[] = [];
  let isStopped = false;
  const loop = async (): Promise<void> => {
    for (let input = 0; !isStopped; input++) {
      const start = performance.now();
      answers.push({ ...(await clipper.predict(application, [input])), input, ms: performance.now() - start });
      await setTimeout(10);
    }
  };
  const done = loop();
  // It is looked at when it is stopped.
  done.catch(() => {});
  return {
    stop: async () => {
      isStopped = true;
      await done;
      return answers;
    },
  };
}
