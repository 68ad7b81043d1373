import { ClipperError, isClipperError } from '../src/errors.ts';
import type { Output } from '../src/protocol/content.ts';
import { answer, failure } from './outputs.ts';

/** Maps a batch of inputs to one output each, in order. */
export type BatchFunction<Input> = (inputs: readonly Input[]) => unknown;

/**
 * Runs a batch so that one bad input never affects the others: a batch that throws or returns the wrong number of outputs is
 * halved until only the culprits fail. The function may therefore see an input more than once, but only after a failure.
 */
export async function answerBatch<Input>(predict: BatchFunction<Input>, inputs: readonly Input[]): Promise<Output[]> {
  const anew = inputs.length > 1 ? remember(inputs) : undefined;
  try {
    return Array.from(checkedOutputs(await predict(inputs), inputs.length), answer);
  } catch (error) {
    if (anew === undefined) return [failure(error)];
    if (isClipperError(error)) warnOfShape(error);
    const half = inputs.length >> 1;
    const first = await answerBatch(predict, anew(0, half));
    return [...first, ...(await answerBatch(predict, anew(half, inputs.length)))];
  }
}

/** Remembers the original inputs, so that they can be passed again to a function that may have changed them. */
function remember<Input>(inputs: readonly Input[]): (from: number, to: number) => Input[] {
  const kept = new Map<ArrayBufferLike, ArrayBufferLike>();
  for (const input of inputs) {
    // The inputs of a batch mostly share one buffer.
    if (ArrayBuffer.isView(input) && !kept.has(input.buffer)) kept.set(input.buffer, input.buffer.slice(0));
  }
  return (from, to) =>
    inputs.slice(from, to).map((input) => (isTyped(input) ? (copyOf(input, kept.get(input.buffer)) as Input) : input));
}

const isTyped = (input: unknown): input is Float64Array => ArrayBuffer.isView(input);

function copyOf(view: Float64Array, buffer = view.buffer): Float64Array {
  const TypedArray = view.constructor as Float64ArrayConstructor;
  return new TypedArray(buffer, view.byteOffset, view.length).slice();
}

let isShapeKnown = false;

/**
 * Answers are still correct if single inputs give the right number of outputs, but each batch then costs about two calls per
 * input.
 */
function warnOfShape({ message }: ClipperError): void {
  if (!isShapeKnown) console.error(`${message}: batches are halved until each has the right number of outputs`);
  isShapeKnown = true;
}

/** Runs a function of one input over a batch, concurrently if the function is asynchronous. */
export async function answerEach<Input>(predict: (input: Input) => unknown, inputs: readonly Input[]): Promise<Output[]> {
  return Promise.all(
    inputs.map(async (input) => {
      try {
        return answer(await predict(input));
      } catch (error) {
        return failure(error);
      }
    }),
  );
}

function checkedOutputs(outputs: unknown, expected: number): ArrayLike<unknown> {
  const isList = Array.isArray(outputs) || (ArrayBuffer.isView(outputs) && 'length' in outputs);
  if (!isList) {
    const got = outputs === null ? 'null' : typeof outputs;
    throw new ClipperError('E_INVALID_INPUT', `predict must return an array with one output per input, but returned ${got}`);
  }
  const { length } = outputs as ArrayLike<unknown>;
  if (length === expected) return outputs as ArrayLike<unknown>;
  throw new ClipperError(
    'E_INVALID_INPUT',
    `predict must return one output per input, but returned ${length} outputs for ${expected} input${expected === 1 ? '' : 's'}`,
  );
}
