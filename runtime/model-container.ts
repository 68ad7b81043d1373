import { ClipperError } from '../src/errors.ts';
import type { Output } from '../src/protocol/content.ts';
import type { InputType, InputValues } from '../src/protocol/input-types.ts';
import { answerBatch } from './answers.ts';

/** The result of predict methods: one output per input, in order. An output that isn't a string is sent as JSON. */
export type Outputs = readonly unknown[] | Promise<readonly unknown[]>;

const methods = {
  bytes: 'predictBytes',
  integers: 'predictInts',
  floats: 'predictFloats',
  doubles: 'predictDoubles',
  strings: 'predictStrings',
} as const satisfies Record<InputType, keyof ModelContainer>;

/** A model in a hand-written container. Override the method of each input type that it serves. */
export abstract class ModelContainer {
  /** Override for `integers`. Returns one output per input, in order. */
  predictInts(_inputs: readonly Int32Array[]): Outputs {
    return notServed('integers');
  }
  /** Override for `floats`. Returns one output per input, in order. */
  predictFloats(_inputs: readonly Float32Array[]): Outputs {
    return notServed('floats');
  }
  /** Override for `doubles`. Returns one output per input, in order. */
  predictDoubles(_inputs: readonly Float64Array[]): Outputs {
    return notServed('doubles');
  }
  /** Override for `bytes`. Returns one output per input, in order. */
  predictBytes(_inputs: readonly Uint8Array[]): Outputs {
    return notServed('bytes');
  }
  /** Override for `strings`. Returns one output per input, in order. */
  predictStrings(_inputs: readonly string[]): Outputs {
    return notServed('strings');
  }
}

function notServed(type: InputType): never {
  throw new ClipperError('E_INVALID_INPUT', `This container does not serve ${type}: override ${methods[type]}`);
}

/** Answers a batch of inputs of one type. */
export type Answerer = (type: InputType, inputs: readonly InputValues[InputType][]) => Promise<Output[]>;

/** Answers batches with a container's method for their input type. */
export const containerAnswers =
  (container: ModelContainer): Answerer =>
  (type, inputs) =>
    answerBatch((batch) => container[methods[type]](batch as never), inputs);
