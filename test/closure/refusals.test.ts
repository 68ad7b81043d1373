import { EventEmitter } from 'node:events';
import { createServer } from 'node:net';
import { captureClosure } from '../../src/closure/capture-closure.ts';
import { explainClosure } from '../../src/closure/explain-closure.ts';
import { isClipperError } from '../../src/errors.ts';
import { refusalCases } from '../fixtures/closures/refused.ts';

async function refusalOf(fn: Function): Promise<string> {
  try {
    await captureClosure(fn);
  } catch (error) {
    if (isClipperError(error) && error.code === 'E_NOT_CAPTURABLE') return error.message;
    throw error;
  }
  throw new Error('it was captured');
}

const pool = { name: 'main', connection: createServer() };
const db = { pool };
const pending = Promise.resolve(1);
const weak = new WeakMap();
const proxied = new Proxy({}, {});
const iterator = (function* () {
  yield 1;
})();
iterator.next();
function Made(this: object) {
  Object.assign(this, { how: () => new.target });
}
const made = new (Made as unknown as new () => { how(): unknown })();

describe('each kind of what can not travel is named by its path', () => {
  test.each(refusalCases)('$name', async ({ make, path }) => {
    const message = await refusalOf(await make());
    if (typeof path === 'string') expect(message).toContain(path);
    else expect(message).toMatch(path);
  });
});

describe('what can not travel', () => {
  test('is named by its whole path, with the fix', async () => {
    const message = await refusalOf(function predict() {
      return db.pool.name;
    });
    expect(message).toContain('predict → captured "db" → .pool → .connection: Server of node:net');
    expect(message).toContain('setup');
  });

  test.each([
    ['a promise', () => pending, /captured "pending": a promise/],
    ['a WeakMap', () => weak, /captured "weak": a WeakMap/],
    ['a Proxy', () => proxied, /captured "proxied": a Proxy/],
    ['a started generator', () => iterator, /captured "iterator": a generator/],
    ['an arrow with the `new.target` of another', () => made.how(), /captured "made" → \.how: .*`new\.target`/],
  ])('%s', async (_what, fn, expected) => {
    expect(await refusalOf(fn)).toMatch(expected);
  });

  test('is reported together', async () => {
    const message = await refusalOf(() => [pending, weak]);
    expect(message).toContain('2 captured values');
    expect(message).toContain('captured "pending"');
    expect(message).toContain('captured "weak"');
  });

  test('is looked for inside Maps and Sets', async () => {
    const registry = new Map([['job', new Set([pending])]]);
    expect(await refusalOf(() => registry)).toContain('captured "registry" → Map entry job → Set entry: a promise');
  });

  test.each([[undefined], [null], [42], ['text'], [{}]])('%p is no function', async (value) => {
    expect(await refusalOf(value as unknown as Function)).toContain('Expected a function');
  });

  test('nothing of the user’s runs while it is looked at', async () => {
    const touched: string[] = [];
    const trap = {
      get value() {
        touched.push('getter');
        return 1;
      },
      toJSON: () => touched.push('toJSON'),
      // biome-ignore lint/suspicious/noThenProperty: an object that would be awaited by accident
      then: () => touched.push('then'),
    };
    const fn = () => trap.value;
    await captureClosure(fn);
    expect(touched).toEqual([]);
    expect(fn()).toBe(1);
  });
});

describe('what travels by name', () => {
  test('classes and objects of Node are references', async () => {
    const report = await explainClosure(() => [EventEmitter, process.version]);
    expect(report.problems).toEqual([]);
    expect(report.roots[0]?.children).toContainEqual(
      expect.objectContaining({ how: 'reference', type: 'import of node:events' }),
    );
  });
});
