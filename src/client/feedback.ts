import { inputBytes } from '../contract/json-input.ts';
import { FeedbackLine } from '../contract/queries.ts';
import { decodeInput, type InputType, type InputValues } from '../protocol/input-types.ts';
import { resolveOptions } from '../util/options.ts';
import { z } from '../util/zod.ts';
import { isInput } from './input-bytes.ts';
import { checkAnswer, type RestClient } from './rest-client.ts';
import { type Input, type InputOf, plainInput } from './wire.ts';

const FeedbackOptions = z.strictObject({
  input: z.custom<Input>(isInput, 'must be an array of numbers, bytes or a string').describe('What was asked.'),
  label: z.number().describe('What would have been right.'),
  uid: z.number().default(0).describe('Whom it comes from.'),
});
/** What was asked, and what would have been right. */
export type FeedbackOptions<T extends InputType = InputType> = Omit<z.input<typeof FeedbackOptions>, 'input'> & {
  readonly input: InputOf<T>;
};

/** Feedback that a server keeps. The input has the form in which the model's functions get it. */
export interface FeedbackRecord<T extends InputType = InputType> {
  readonly time: Date;
  readonly uid: number;
  readonly input: InputValues[T];
  readonly label: number;
}

export async function sendFeedback(query: RestClient, application: string, options: FeedbackOptions): Promise<void> {
  const { input, ...rest } = resolveOptions(FeedbackOptions, options, 'sendFeedback');
  await query.post(`/${encodeURIComponent(application)}/update`, { ...rest, input: plainInput(input) });
}

/** Reads the records as they arrive. */
export async function* readFeedback<T extends InputType>(
  management: RestClient,
  application: string,
  inputType: T,
): AsyncGenerator<FeedbackRecord<T>> {
  for await (const line of management.lines(`/admin/v1/feedback/${encodeURIComponent(application)}`)) {
    const { time, uid, input, label } = checkAnswer(FeedbackLine, JSON.parse(line), management.url);
    yield { time: new Date(time), uid, input: decodeInput(inputType, inputBytes(inputType, input)), label };
  }
}
