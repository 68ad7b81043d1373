import type { Output } from '../src/protocol/content.ts';
import { decodeFeedback } from '../src/protocol/feedback.ts';
import { decodeInput, type InputType, type InputValues } from '../src/protocol/input-types.ts';
import { failure } from './outputs.ts';

/** Learns from an input and the label that was right for it. */
export type FeedbackFunction = (input: InputValues[InputType], label: number) => unknown;

/** Gives the feedback of a request to a function, one after another, and returns what it threw. */
export async function takeFeedback(
  feedback: FeedbackFunction,
  { inputType, inputs }: { readonly inputType: InputType; readonly inputs: readonly Uint8Array[] },
): Promise<Output[]> {
  const failures: Output[] = [];
  for (const { input, label } of decodeFeedback(inputs)) {
    try {
      await feedback(decodeInput(inputType, input), label);
    } catch (error) {
      failures.push(failure(error));
    }
  }
  return failures;
}
