import * as fc from 'fast-check';
import {
  decodeInput,
  encodeInput,
  type InputType,
  inputTypeCode,
  inputTypeOfCode,
  isInputTypeSpelling,
  parseInputType,
} from '../../src/protocol/input-types.ts';

test.each([
  ['bytes', 0, 'b byte bytes'],
  ['integers', 1, 'i int ints integer integers'],
  ['floats', 2, 'f float floats'],
  ['doubles', 3, 'd double doubles'],
  ['strings', 4, 's str strs string strings'],
] as [InputType, number, string][])('%s has code %i and the spellings %s', (type, code, spellings) => {
  expect(spellings.split(' ').map(parseInputType)).toEqual(spellings.split(' ').map(() => type));
  expect(inputTypeCode(type)).toBe(code);
  expect(inputTypeOfCode(code)).toBe(type);
});

test('any other spelling is refused naming the right ones', () => {
  for (const wrong of ['', 'Doubles', 'number', 'toString', 'i32']) {
    expect(isInputTypeSpelling(wrong)).toBe(false);
    expect(() => parseInputType(wrong)).toThrow(/Unknown input type .* i int ints integer integers/);
  }
});

test.each([5, -1, 1.5, Number.NaN])('the code %p is refused', (code) => {
  expect(() => inputTypeOfCode(code)).toThrow(expect.objectContaining({ code: 'E_PROTOCOL' }));
});

const values: { readonly [T in InputType]: fc.Arbitrary<Uint8Array | Int32Array | Float32Array | Float64Array | string> } = {
  bytes: fc.uint8Array(),
  integers: fc.int32Array(),
  floats: fc.float32Array(),
  doubles: fc.float64Array(),
  strings: fc.string({ unit: 'binary' }),
};

/** The same bytes at an odd place in memory, as they lie in a received message. */
function misaligned(frame: Uint8Array): Uint8Array {
  const place = new Uint8Array(frame.byteLength + 3);
  place.set(frame, 1);
  return place.subarray(1, 1 + frame.byteLength);
}

describe.each(Object.keys(values) as InputType[])('%s', (type) => {
  test('come back as they were, wherever they lie in memory', async () => {
    await fc.assert(
      fc.property(values[type], (value) => {
        const frame = encodeInput(value);
        expect(decodeInput(type, frame)).toEqual(value);
        expect(decodeInput(type, misaligned(frame))).toEqual(value);
        const { buffer, byteOffset, byteLength } = misaligned(frame);
        expect(decodeInput(type, Buffer.from(buffer, byteOffset, byteLength))).toEqual(value);
      }),
    );
  });

  test('may be of length 0', () => {
    expect(decodeInput(type, new Uint8Array(0))).toHaveLength(0);
  });
});

test('numbers are little-endian and texts utf8 without a terminator', () => {
  expect([...encodeInput(Int32Array.of(-2))]).toEqual([254, 255, 255, 255]);
  expect([...encodeInput(Float32Array.of(1))]).toEqual([0, 0, 128, 63]);
  expect([...encodeInput(Float64Array.of(1))]).toEqual([0, 0, 0, 0, 0, 0, 240, 63]);
  expect([...encodeInput('aé')]).toEqual([97, 195, 169]);
});

test('a part of a typed array is encoded without its surroundings', () => {
  expect([...encodeInput(Int32Array.of(1, 2, 3).subarray(1, 2))]).toEqual([2, 0, 0, 0]);
});

test('a text keeps its byte order mark', () => {
  expect(decodeInput('strings', encodeInput('\ufeffa'))).toBe('\ufeffa');
});

test.each([
  ['integers', 6, 4],
  ['floats', 5, 4],
  ['doubles', 12, 8],
] as [InputType, number, number][])('%s of %i bytes are refused', (type, length, size) => {
  expect(() => decodeInput(type, new Uint8Array(length))).toThrow(
    expect.objectContaining({ code: 'E_PROTOCOL', message: `Expected a multiple of ${size} bytes for ${type}, got ${length}` }),
  );
});
