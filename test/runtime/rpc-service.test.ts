import { execFile } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ModelContainer, type Outputs } from '../../runtime/index.ts';
import { encodeInput, type InputType, type InputValues } from '../../src/protocol/input-types.ts';
import type { RemoteError } from '../../src/protocol/messages.ts';
import { deferred } from '../../src/util/deferred.ts';
import { replicaProgram } from '../../src/util/package-files.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { startReplica } from '../helpers/replica.ts';
import { listenForReplicas, type ObservedRpcServer } from '../helpers/rpc.ts';

const printed = quietConsole();

const encoded = (inputs: readonly InputValues[InputType][]): Uint8Array[] => inputs.map(encodeInput);
const doubles = (...values: number[]): Uint8Array[] => encoded(values.map((value) => Float64Array.of(value)));
const errorOf = (text: string | undefined): RemoteError => JSON.parse(text ?? '') as RemoteError;

/** A container of doubles made of one function. */
class Doubles extends ModelContainer {
  readonly #predict: (inputs: readonly Float64Array[]) => unknown;

  constructor(predict: (inputs: readonly Float64Array[]) => unknown) {
    super();
    this.#predict = predict;
  }

  override predictDoubles(inputs: readonly Float64Array[]): Outputs {
    return this.#predict(inputs) as Outputs;
  }
}

const negate = new Doubles((inputs) => inputs.map(([value = 0]) => -value));

/** Fails for negative numbers, and remembers the sizes of the batches that it was given. */
function picky(): { container: ModelContainer; sizes: number[] } {
  const sizes: number[] = [];
  const container = new Doubles((inputs) => {
    sizes.push(inputs.length);
    for (const [value = 0] of inputs) if (value < 0) throw new RangeError(`${value} is negative`);
    return inputs.map(([value]) => value);
  });
  return { container, sizes };
}

class Printing extends ModelContainer {
  override predictBytes(inputs: readonly Uint8Array[]): Outputs {
    return inputs.map((input) => Buffer.from(input).toString('hex'));
  }
  override predictInts(inputs: readonly Int32Array[]): Outputs {
    return inputs;
  }
  override predictFloats(inputs: readonly Float32Array[]): Outputs {
    return inputs;
  }
  override predictDoubles(inputs: readonly Float64Array[]): Outputs {
    return inputs;
  }
  override async predictStrings(inputs: readonly string[]): Promise<readonly unknown[]> {
    return inputs.map((input) => ({ input }));
  }
}

test.each([
  ['bytes', 'bytes', [Uint8Array.of(1, 255), Uint8Array.of()], ['01ff', '']],
  ['integers', 'ints', [Int32Array.of(-1, 2 ** 31 - 1)], ['[-1,2147483647]']],
  ['floats', 'floats', [Float32Array.of(0.5), Float32Array.of()], ['[0.5]', '[]']],
  ['doubles', 'doubles', [Float64Array.of(0.1, 1e300)], ['[0.1,1e+300]']],
  ['strings', 'strings', ['é\n', ''], ['{"input":"é\\n"}', '{"input":""}']],
] as [InputType, string, InputValues[InputType][], string[]][])('serves %s', async (inputType, name, inputs, texts) => {
  await using rpc = await listenForReplicas();
  await using _replica = startReplica(new Printing(), { port: rpc.port, inputType, instance: 'one' });
  const replica = await rpc.replica();
  expect(replica).toMatchObject({ model: 'm:1', inputType, instance: 'one' });
  expect((await replica.predict(encoded(inputs))).outputs).toEqual(texts.map((text) => ({ text, failed: false })));
  expect(printed).toContain(`Serving predictions for ${name} input type.`);
});

describe('a function that fails', () => {
  /** Asks a fresh container of doubles. */
  const ask = async (container: ModelContainer, inputs: Uint8Array[], errorsExtension = true) => {
    await using rpc = await listenForReplicas();
    await using _replica = startReplica(container, { port: rpc.port, errorsExtension });
    const { outputs } = await (await rpc.replica()).predict(inputs);
    return outputs;
  };

  test('on one input leaves its neighbours answered', async () => {
    const { container, sizes } = picky();
    const outputs = await ask(container, doubles(0, 1, 2, -3, 4, 5, 6, 7));
    expect(outputs.map(({ failed }) => failed)).toEqual([false, false, false, true, false, false, false, false]);
    expect(outputs.map(({ text }) => text).toSpliced(3, 1)).toEqual(['0', '1', '2', '4', '5', '6', '7']);
    expect(errorOf(outputs[3]?.text)).toMatchObject({ name: 'RangeError', message: '-3 is negative', stack: expect.any(String) });
    expect(sizes).toEqual([8, 4, 2, 2, 1, 1, 4]);
  });

  test.each([
    ['too few outputs', () => [], 'returned 0 outputs for 1 input'],
    ['no array', () => 'ab', 'must return an array with one output per input, but returned string'],
    ['nothing', async () => undefined, 'but returned undefined'],
    ['what JSON has no text for', (inputs: readonly unknown[]) => inputs.map(() => () => 1), 'must be a string or JSON'],
    ['what JSON refuses', (inputs: readonly unknown[]) => inputs.map(() => 1n), 'BigInt'],
  ])('by returning %s says so', async (_what, predict, message) => {
    const outputs = await ask(new Doubles(predict), doubles(1, 2));
    expect(outputs.map(({ failed }) => failed)).toEqual([true, true]);
    expect(errorOf(outputs[0]?.text).message).toContain(message);
  });

  test('by leaving out the output of one input leaves its neighbours answered', async () => {
    const outputs = await ask(new Doubles((inputs) => inputs.map(([x]) => x).filter((x) => x !== 3)), doubles(1, 2, 3, 4, 5));
    expect(outputs.map(({ failed }) => failed)).toEqual([false, false, true, false, false]);
    expect(outputs.map(({ text }) => text).toSpliced(2, 1)).toEqual(['1', '2', '4', '5']);
    expect(errorOf(outputs[2]?.text).message).toContain('returned 0 outputs for 1 input');
  });

  test('after it changed its inputs leaves its neighbours answered as they were asked', async () => {
    const scaling = new Doubles((inputs) =>
      inputs.map((input) => {
        input[0] = 10 * (input[0] ?? 0);
        if (input[0] < 0) throw new RangeError('negative');
        return input[0];
      }),
    );
    const outputs = await ask(scaling, doubles(1, 2, -3, 4));
    expect(outputs.map(({ text, failed }) => (failed ? 'failed' : text))).toEqual(['10', '20', 'failed', '40']);
  });

  test('with an error that holds what no error should still tells which', async () => {
    const outputs = await ask(
      new Doubles(() => {
        throw Object.assign(new RangeError(), { message: 12n, stack: [{}, {}] });
      }),
      doubles(1, 2),
    );
    expect(outputs.map(({ text }) => errorOf(text))).toEqual([1, 2].map(() => ({ name: 'RangeError', message: '12' })));
  });

  test('by throwing what is no Error shows what it threw', async () => {
    const [output] = await ask(
      new Doubles(() => {
        throw Object.assign(Object.create(null), { status: 3 });
      }),
      doubles(1),
    );
    expect(errorOf(output?.text).message).toBe(
      'Something other than an Error was thrown: [Object: null prototype] { status: 3 }',
    );
  });

  test('without the extension answers JSON with its error, as an output like any other', async () => {
    const outputs = await ask(picky().container, doubles(1, -2), false);
    expect(outputs).toEqual([
      { text: '1', failed: false },
      { text: '{"error":"RangeError: -2 is negative"}', failed: false },
    ]);
  });

  test('a method that is not overridden is named', async () => {
    const [output] = await ask(new (class extends ModelContainer {})(), doubles(1));
    expect(errorOf(output?.text).message).toBe('This container does not serve doubles: override predictDoubles');
  });

  test('an input whose bytes are no doubles fails, and the next is answered', async () => {
    await using rpc = await listenForReplicas();
    await using _replica = startReplica(negate, { port: rpc.port });
    const replica = await rpc.replica();
    const { outputs } = await replica.predict([new Uint8Array(7)]);
    expect(errorOf(outputs[0]?.text).message).toBe('Expected a multiple of 8 bytes for doubles, got 7');
    expect((await replica.predict(doubles(2))).outputs).toEqual([{ text: '-2', failed: false }]);
  });
});

describe('stop', () => {
  test('finishes the batch at hand', async () => {
    const asked = deferred<void>();
    const result = deferred<number[]>();
    await using rpc = await listenForReplicas();
    await using replica = startReplica(
      new Doubles(() => {
        asked.resolve();
        return result.promise;
      }),
      { port: rpc.port },
    );
    const answered = (await rpc.replica()).predict(doubles(1));
    await asked.promise;
    const stopped = replica.service.stop();
    result.resolve([42]);
    await stopped;
    expect((await answered).outputs).toEqual([{ text: '42', failed: false }]);
  });
});

describe('a server', () => {
  const answerOf = async (rpc: ObservedRpcServer): Promise<string | undefined> => {
    const { outputs } = await (await rpc.replica()).predict(doubles(3));
    return outputs[0]?.text;
  };

  test('that comes later or comes back is found', async () => {
    const { port } = await (async () => {
      await using free = await listenForReplicas();
      return free;
    })();
    await using _replica = startReplica(negate, { port });
    {
      await using first = await listenForReplicas(port);
      expect(await answerOf(first)).toBe('-3');
    }
    await using second = await listenForReplicas(port);
    expect(await answerOf(second)).toBe('-3');
  });

  // Heartbeats are sent every 5 s, and wait for a server that is away.
  test.each([0, 11_000])('that is away for %s ms has its replica at once, once', async (awayMs) => {
    const first = await listenForReplicas();
    await using _replica = startReplica(negate, { port: first.port });
    await first.replica();
    await first.server.close();
    await setTimeout(awayMs);
    await using second = await listenForReplicas(first.port);
    const start = performance.now();
    expect(await answerOf(second)).toBe('-3');
    expect(performance.now() - start).toBeLessThan(1_000);
    await setTimeout(300);
    expect([second.connected.length, second.lost]).toEqual([1, []]);
  });
});

describe('the program of a replica', () => {
  const run = (env: NodeJS.ProcessEnv) => promisify(execFile)(process.execPath, [replicaProgram], { env });

  test.each([
    ['CLIPPER_MODEL_NAME', { CLIPPER_MODEL_VERSION: '1' }],
    ['CLIPPER_MODEL_VERSION', { CLIPPER_MODEL_NAME: 'm' }],
  ])('without %s exits with code 1 naming it', async (variable, env) => {
    await expect(run(env)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`The environment variable ${variable} must be set`),
    });
  });
});
