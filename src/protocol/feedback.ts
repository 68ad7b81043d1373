import { unexpected } from './content.ts';
import { decodeInput, encodeInput } from './input-types.ts';

/** An input as raw bytes, and its correct label. */
export interface LabelledInput {
  readonly input: Uint8Array;
  readonly label: number;
}

/** The inputs of a feedback request: each input is followed by its label, a little-endian double. */
export const encodeFeedback = (items: readonly LabelledInput[]): Uint8Array[] =>
  items.flatMap(({ input, label }) => [input, encodeInput(Float64Array.of(label))]);

/** Decodes what `encodeFeedback` wrote. Throws E_PROTOCOL. */
export function decodeFeedback(inputs: readonly Uint8Array[]): LabelledInput[] {
  if (inputs.length % 2 !== 0) throw unexpected('input count of feedback', 'an even number', inputs.length);
  return Array.from({ length: inputs.length / 2 }, (_, index) => {
    const [input, labelled] = inputs.slice(2 * index, 2 * index + 2) as [Uint8Array, Uint8Array];
    const [label, ...more] = decodeInput('doubles', labelled);
    if (label === undefined || more.length > 0) throw unexpected('label of feedback', '8 bytes', `${labelled.byteLength} bytes`);
    return { input, label };
  });
}
