import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClipperConnection } from '../../src/client/connection.ts';
import { createEndpoint, deployPredictFunction } from '../../src/client/deploy.ts';
import type { FeedbackRecord } from '../../src/client/feedback.ts';
import { eventually, quiet, startedCluster } from '../helpers/started-cluster.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

let clipper: ClipperConnection;
beforeAll(async () => {
  clipper = await startedCluster({ cacheBytes: 0 });
});
afterAll(() => clipper.close());

async function kept<T extends 'bytes' | 'doubles' | 'strings'>(application: string): Promise<FeedbackRecord<T>[]> {
  const records: FeedbackRecord<T>[] = [];
  for await (const record of clipper.getFeedback<T>(application)) records.push(record);
  return records;
}

/** Learns the mean of the labels; answers it with what its setup made. */
function learner() {
  let labels: number[] = [];
  return {
    setup: () => ({ pid: process.pid, seen: [] as number[] }),
    predictOne: (_input: Float64Array, context: { pid: number; seen: number[] }) => [context.pid, labels, context.seen],
    feedback: (input: Float64Array, label: number, { seen }: { seen: number[] }) => {
      labels = [...labels, label];
      seen.push(...input);
    },
  };
}

describe('a feedback function', () => {
  test('runs in every replica on each feedback, in order, and shares variables and context with predict', async () => {
    const options = { name: 'learns', inputType: 'doubles', ...learner(), batchSize: 1, replicas: 2, ...quiet } as const;
    const { predict } = await createEndpoint(clipper, options);
    for (const label of [0.5, -1, 3]) await clipper.sendFeedback('learns', { input: [label, 7], label });
    const learnt = new Set<unknown>();
    await eventually(async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => predict([0])));
      for (const { output } of answers) {
        const [pid, labels, seen] = output as [number, number[], number[]];
        if (labels.length < 3) continue;
        expect([labels, seen]).toEqual([
          [0.5, -1, 3],
          [0.5, 7, -1, 7, 3, 7],
        ]);
        learnt.add(pid);
      }
      return learnt.size === 2;
    });
  });

  test('that throws is logged and counted, and neither stops its replica nor the feedback after it', async () => {
    let sum = 0;
    const { predict } = await createEndpoint(clipper, {
      name: 'throws',
      inputType: 'strings',
      predictOne: () => [process.pid, sum],
      feedback: async (input: string, label: number) => {
        if (input === 'bad') throw new RangeError('no such label');
        sum += label;
      },
      ...quiet,
    });
    const [pid] = (await predict('')).output as number[];
    for (const [index, input] of ['good', 'bad', 'good', 'bad', 'good'].entries()) {
      await clipper.sendFeedback('throws', { input, label: 10 ** index });
    }
    await eventually(async () => (await predict('')).output?.toString() === `${pid},10101`);
    const log = await clipper.getLogs({ name: 'throws' });
    expect(log.filter((line) => line.includes('feedback failed: RangeError: no such label'))).toHaveLength(2);
    const metrics = await (await fetch(`${clipper.queryUrl}/metrics`)).text();
    expect(metrics).toContain('clipper_feedback_failures_total{model="throws:1"} 2');
  });

  test('that hangs keeps no query waiting', async () => {
    const { predict } = await createEndpoint(clipper, {
      name: 'hangs',
      inputType: 'doubles',
      predictOne: () => 'answered',
      feedback: () => new Promise(() => {}),
      ...quiet,
    });
    for (let label = 0; label < 3; label++) await clipper.sendFeedback('hangs', { input: [1], label });
    expect(await predict([1])).toMatchObject({ output: 'answered', default: false });
  });

  test('is that of the current version alone', async () => {
    const version = (name: string) => {
      const labels: number[] = [];
      const feedback = (_input: Float64Array, label: number) => labels.push(label);
      return { name: 'versions', inputType: 'doubles', predictOne: () => [name, ...labels], feedback, ...quiet } as const;
    };
    await createEndpoint(clipper, version('first'));
    await clipper.sendFeedback('versions', { input: [], label: 1 });
    await eventually(async () => (await clipper.predict('versions', [])).output?.toString() === 'first,1');
    await deployPredictFunction(clipper, version('second'));
    await clipper.sendFeedback('versions', { input: [], label: 2 });
    await eventually(async () => (await clipper.predict('versions', [])).output?.toString() === 'second,2');
    expect((await clipper.predict('versions', [], { version: 1 })).output).toEqual(['first', 1]);
  });
});

describe('feedback is kept', () => {
  test('with its time, as the functions get it', async () => {
    await clipper.registerApplication({ name: 'bytes', inputType: 'bytes' });
    await clipper.registerApplication({ name: 'texts', inputType: 'strings' });
    const before = new Date();
    await clipper.sendFeedback('bytes', { input: Uint8Array.of(1, 255), label: 0.1, uid: 7 });
    await clipper.sendFeedback('texts', { input: 'a\u2028b\n', label: 1 });
    const [record, ...more] = await kept<'bytes'>('bytes');
    expect([record?.uid, record?.label, more]).toEqual([7, 0.1, []]);
    expect([...(record?.input ?? [])]).toEqual([1, 255]);
    expect(record?.time.getTime()).toBeGreaterThanOrEqual(before.getTime());
    expect(record?.time.getTime()).toBeLessThanOrEqual(Date.now());
    expect((await kept<'strings'>('texts')).map(({ input, uid }) => [input, uid])).toEqual([['a\u2028b\n', 0]]);
  });

  test('and can be read as far as one wants', async () => {
    await clipper.registerApplication({ name: 'many', inputType: 'doubles' });
    const input = Array(1_000).fill(1.5);
    await Promise.all(Array.from({ length: 500 }, (_, label) => clipper.sendFeedback('many', { input, label })));
    for await (const record of clipper.getFeedback<'doubles'>('many')) {
      expect(record.input).toEqual(Float64Array.from(input));
      break;
    }
    expect((await kept('many')).map(({ label }) => label).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 500 }, (_, n) => n),
    );
  });

  test('until its application is deleted', async () => {
    await clipper.registerApplication({ name: 'deleted', inputType: 'doubles' });
    await clipper.sendFeedback('deleted', { input: [1], label: 1 });
    expect(await kept('deleted')).toHaveLength(1);
    await clipper.unregisterApplication('deleted');
    await expect(kept('deleted')).rejects.toMatchObject({ code: 'E_UNKNOWN_APPLICATION' });
    await clipper.registerApplication({ name: 'deleted', inputType: 'strings' });
    expect(await kept('deleted')).toEqual([]);
  });

  test('when the server stops', async () => {
    await using dir = await temporaryDir();
    const other = await startedCluster({ stateDir: dir.path });
    await other.registerApplication({ name: 'stays', inputType: 'doubles' });
    await other.sendFeedback('stays', { input: [1, 2.5], label: 3 });
    await other.close();
    const file = join(dir.path, 'feedback', 'stays.jsonl');
    expect(existsSync(file)).toBe(true);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ time: expect.any(String), uid: 0, input: [1, 2.5], label: 3 });
  });

  test.each([
    ['of an application that is not there', 'nobody', { input: [1], label: 1 }, 'E_UNKNOWN_APPLICATION'],
    ['of another type', 'refuses', { input: 'x', label: 1 }, 'E_INVALID_INPUT'],
    ['that is no number', 'refuses', { input: [Number.NaN], label: 1 }, 'E_INVALID_INPUT'],
    ['without a label', 'refuses', { input: [1] }, 'E_INVALID_OPTION'],
    ['with an infinite label', 'refuses', { input: [1], label: Number.POSITIVE_INFINITY }, 'E_INVALID_OPTION'],
    ['without an input', 'refuses', { label: 1 }, 'E_INVALID_OPTION'],
    ['of no input', 'refuses', { input: 5, label: 1 }, 'E_INVALID_OPTION'],
  ])('unless it is one %s', async (_what, application, options, code) => {
    if ((await clipper.getAppInfo('refuses')) === undefined) {
      await clipper.registerApplication({ name: 'refuses', inputType: 'doubles' });
    }
    await expect(clipper.sendFeedback(application, options as never)).rejects.toMatchObject({ code });
    expect(await kept('refuses')).toEqual([]);
  });
});
