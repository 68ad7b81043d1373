import * as fc from 'fast-check';
import { decodeInputBatch, encodeInputBatch } from '../../src/protocol/input-batch.ts';

test('a body is the count, the lengths and the inputs, each part filled up to a multiple of 8 bytes', () => {
  const body = encodeInputBatch([Uint8Array.of(1, 2, 3), new Uint8Array(0), Uint8Array.of(4)]);
  const head = '03000000' + '03000000' + '00000000' + '01000000';
  expect(Buffer.from(body).toString('hex')).toBe(`${head}${'0102030000000000'}${'0400000000000000'}`);
  expect(Buffer.from(encodeInputBatch([])).toString('hex')).toBe('0000000000000000');
});

test('inputs come back as they were, as views of the body at multiples of 8', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (inputs) => {
      const body = encodeInputBatch(inputs);
      const decoded = decodeInputBatch(body);
      expect(decoded).toEqual(inputs);
      expect(decoded.every(({ buffer, byteOffset }) => buffer === body.buffer && byteOffset % 8 === 0)).toBe(true);
    }),
  );
});

const u32s = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

test.each([
  ['no count', u32s(1).subarray(0, 3), /at least 4 bytes.* got 3/],
  ['no lengths', u32s(2, 1), /at least 16 bytes.* 2 inputs, got 8/],
  ['more inputs than any memory holds', u32s(2 ** 32 - 1, 0), /at least 17179869184 bytes.* got 8/],
  ['an input that is cut off', u32s(1, 9, 0, 0), /24 bytes.* got 16/],
  ['no filling behind an input', u32s(1, 4, 0), /16 bytes.* got 12/],
  ['more than it announces', u32s(1, 4, 0, 0, 0, 0), /16 bytes.* got 24/],
])('a body with %s is refused', (_what, body, message) => {
  expect(() => decodeInputBatch(body)).toThrow(
    expect.objectContaining({ code: 'E_INVALID_INPUT', message: expect.stringMatching(message) }),
  );
});

test('more inputs than are allowed are refused', () => {
  const body = encodeInputBatch([u32s(1), u32s(2), u32s(3)]);
  expect(() => decodeInputBatch(body, 2)).toThrow(/2 inputs at most, got 3/);
  expect(decodeInputBatch(body, 3)).toHaveLength(3);
});
