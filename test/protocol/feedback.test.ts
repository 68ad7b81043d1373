import { decodeFeedback, encodeFeedback } from '../../src/protocol/feedback.ts';

const items = [
  { input: Uint8Array.of(1, 2, 3), label: 0.5 },
  { input: new Uint8Array(0), label: -1e300 },
];

test('each input is followed by its label, a little-endian double', () => {
  const hex = encodeFeedback(items).map((frame) => Buffer.from(frame).toString('hex'));
  expect(hex).toEqual(['010203', '000000000000e03f', '', expect.stringMatching(/^.{16}$/)]);
  expect(decodeFeedback(encodeFeedback(items))).toEqual(items);
});

test.each([
  ['an input without a label', [new Uint8Array(3)]],
  ['a label of 16 bytes', [new Uint8Array(3), new Uint8Array(16)]],
  ['a label of no bytes', [new Uint8Array(3), new Uint8Array(0)]],
  ['a label of 5 bytes', [new Uint8Array(3), new Uint8Array(5)]],
])('%s is refused', (_what, inputs) => {
  expect(() => decodeFeedback(inputs)).toThrow(expect.objectContaining({ code: 'E_PROTOCOL' }));
});
