import type { Output } from '../src/protocol/content.ts';
import { decodeFeedback } from '../src/protocol/feedback.ts';
import { decodeInput, type InputType, type InputValues } from '../src/protocol/input-types.ts';
import { failure } from './outputs.ts';

/** Learns from an input and its correct label. */
export type FeedbackFunction = (input: InputValues[InputType], label: number) => unknown;

/** Passes the feedback of a request to a function, one item at a time. Returns what the function threw. */
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
