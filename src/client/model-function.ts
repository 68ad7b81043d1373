import type { Takes } from '../bundle/bundle.ts';
import { packagesOption } from '../bundle/packages-option.ts';
import { secretsOption } from '../closure/capture/options.ts';
import { captureRoots } from '../closure/capture-closure.ts';
import type { CapturedClosure } from '../closure/graph/closure.ts';
import { ClipperError } from '../errors.ts';
import type { InputType, InputValues } from '../protocol/input-types.ts';
import { z } from '../util/zod.ts';
import { inputTypeOption, progressShape, versionOption } from './options.ts';
import { cancelledIf, type Progress } from './progress.ts';

const aFunction = z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function', 'must be a function');

/** The function that becomes a model. */
export const functionShape = {
  name: z.string().describe("The model's name."),
  version: versionOption,
  inputType: inputTypeOption,
  predict: aFunction.optional().describe('Maps a batch of inputs to one output each, in order.'),
  predictOne: aFunction.optional().describe('Maps one input to its output.'),
  setup: aFunction.optional().describe('Runs once in each replica; what it returns is passed to the function as its context.'),
  feedback: aFunction.optional().describe('Runs in each replica on each feedback: input, label, context.'),
  secrets: secretsOption,
  packages: packagesOption,
  ...progressShape,
};
const FunctionConfig = z.strictObject(functionShape);
export type FunctionConfig = Readonly<z.output<typeof FunctionConfig>>;

/** The functions of a model; their inputs are typed by `inputType`. */
export interface ModelFunctions<T extends InputType, Context> {
  /** What one input is: `bytes`, `integers`, `floats`, `doubles` or `strings`. */
  inputType: T;
  /** Maps a batch of inputs to one output each, in their order. */
  predict?: (inputs: InputValues[T][], context: Context) => ArrayLike<unknown> | Promise<ArrayLike<unknown>>;
  /** Maps one input to its output. */
  predictOne?: (input: InputValues[T], context: Context) => unknown;
  /** Runs once in each replica; its result is passed to the function as its context. */
  setup?: () => Context | Promise<Context>;
  /** Runs in each replica on each feedback. */
  feedback?: (input: InputValues[T], label: number, context: Context) => unknown;
}

/** Captures the functions of a model together, so that they keep sharing state. */
export async function captureModel(config: FunctionConfig, progress: Progress): Promise<CapturedClosure> {
  const roots = rootsOf(config);
  cancelledIf(config.signal, config.name);
  progress.report('capture', 'capturing the function');
  const watch = { signal: config.signal, onProgress: (message: string) => progress.report('capture', message) };
  const captured = await captureRoots(roots, { secrets: config.secrets }, watch).catch((error: unknown) => {
    cancelledIf(config.signal, config.name);
    throw error;
  });
  for (const { path, what, fix } of captured.warnings) progress.warn('capture', `warning: ${path}: ${what}. Fix: ${fix}`);
  cancelledIf(config.signal, config.name);
  const { length } = captured.functions;
  progress.report('bundle', `bundling ${length} function${length === 1 ? '' : 's'}`);
  return captured;
}

export const takesOf = ({ predict }: FunctionConfig): Takes => (predict === undefined ? 'one' : 'batch');

/** Throws E_INVALID_OPTION unless there is exactly one function that predicts. */
export function rootsOf({ predict, predictOne, setup, feedback }: FunctionConfig): Record<string, Function> {
  const main = predict ?? predictOne;
  if (main === undefined || (predict !== undefined && predictOne !== undefined)) {
    const got = main === undefined ? 'neither' : 'both';
    throw new ClipperError('E_INVALID_OPTION', `Give either predict (a batch of inputs) or predictOne (one input), got ${got}`);
  }
  return { default: main, ...(setup && { setup }), ...(feedback && { feedback }) };
}
