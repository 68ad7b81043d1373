import { answer, failure } from '../../runtime/outputs.ts';
import { encodeOutputs } from '../../src/protocol/content.ts';

/** The text that a server of ours is sent, parsed as its answer would be. */
const sent = (output: unknown): unknown => {
  const [, , text] = encodeOutputs({ outputs: [answer(output)] }, 'statuses').map((frame) => Buffer.from(frame).toString());
  try {
    return JSON.parse(text ?? '');
  } catch {
    return text;
  }
};

test.each([
  '90210',
  '12345678901234567890',
  'true',
  '1e999',
  '{"a":1.0}',
  ' [1]',
  '"quoted"',
  'null',
  '-0',
  'plain',
  '',
  'nul',
])('the string %j is that string', (text) => {
  expect(sent(text)).toBe(text);
});

test("Clipper's own server is sent the text alone", () => {
  const [, , text] = encodeOutputs({ outputs: [answer('90210')] }, 'clipper');
  expect(Buffer.from(text ?? []).toString()).toBe('90210');
});

class Point {
  readonly x = 1;
  readonly y = 2;
}
class Hidden {
  readonly #x = 1;
  get x(): number {
    return this.#x;
  }
}

test.each([
  ['numbers', 1.5, 1.5],
  ['typed arrays', Float32Array.of(1, 2), [1, 2]],
  ['what is nested', { a: [1, null, { b: 'x' }] }, { a: [1, null, { b: 'x' }] }],
  ['dates', new Date(0), '1970-01-01T00:00:00.000Z'],
  ['instances by their properties', new Point(), { x: 1, y: 2 }],
  ['an empty object', {}, {}],
  ['an object without a prototype', Object.create(null), {}],
])('%s are given as JSON', (_what, output, expected) => {
  expect(sent(output)).toEqual(expected);
});

test.each([
  ['a Map', new Map([['a', 1]]), /a Map, .*Object\.fromEntries\(map\)/],
  ['a Set within', { found: new Set([1]) }, /a Set at "found", .*\[\.\.\.set\]/],
  ['NaN', Number.NaN, /NaN, which JSON has no form for/],
  ['Infinity in a typed array', Float64Array.of(1, Number.POSITIVE_INFINITY), /Infinity at "1"/],
  ['a generator', (function* () {})(), /\[\.\.\.it\]/],
  ['an async generator', (async function* () {})(), /async generator, .*collect/],
  ['an instance that would be {}', new Hidden(), /an instance of Hidden, .*toJSON/],
  ['a promise within', [Promise.resolve(1)], /an instance of Promise/],
  ['undefined', undefined, /returned undefined/],
])('%s fails with what to return instead', (_what, output, message) => {
  const { failed, text } = answer(output);
  expect(failed).toBe(true);
  expect(JSON.parse(text).message).toMatch(message);
});

test('a failure tells what is inside of it', () => {
  const cause = new RangeError('deep', { cause: 'a text' });
  const thrown = new AggregateError([new TypeError('one'), new Error('two', { cause })], 'all failed');
  expect(JSON.parse(failure(thrown).text)).toMatchObject({
    name: 'AggregateError',
    message: "all failed [TypeError: one; Error: two, caused by RangeError: deep, caused by 'a text']",
  });
});

test('a failure whose errors lead back to it, or whose message is no text, is told all the same', () => {
  const circular = new AggregateError([], 'again');
  circular.errors.push(circular, circular);
  circular.cause = circular;
  expect(JSON.parse(failure(circular).text).message).toBe(
    'again [AggregateError: again; AggregateError: again], caused by AggregateError: again',
  );
  expect(JSON.parse(failure(Object.assign(new Error(), { message: 42 })).text).message).toBe('42');
});
