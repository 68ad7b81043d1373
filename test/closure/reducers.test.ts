import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LRUCache } from 'lru-cache';
import { bundleClosure } from '../../src/bundle/bundle.ts';
import { reduceSymbol, registerReducer } from '../../src/closure/capture/reducers.ts';
import { captureClosure } from '../../src/closure/capture-closure.ts';

const dir = mkdtempSync(join(tmpdir(), 'reducers-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What the restored closure returns in a fresh process, as JSON. */
async function restored(fn: () => unknown): Promise<unknown> {
  const { entry } = await bundleClosure(fn, { outDir: join(dir, 'bundle') });
  const program = `const { default: f } = await import(${JSON.stringify(pathToFileURL(entry).href)}); console.log(JSON.stringify(await f()));`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }));
}

class Temperature {
  readonly degrees: number;
  readonly readings = new WeakMap<object, number>();
  constructor(degrees: number) {
    this.degrees = degrees;
  }
  [reduceSymbol]() {
    return [(degrees: number) => new Temperature(degrees), this.degrees] as const;
  }
}
class Warm extends Temperature {}
class Broken {
  readonly state = new WeakMap();
  [reduceSymbol](): never {
    throw new RangeError('no state yet');
  }
}
class Shapeless {
  [reduceSymbol]() {
    return { not: 'an array' };
  }
}

describe('instances that say how they travel', () => {
  test('by a reducer that is registered for a class of a package', async () => {
    const cache = new LRUCache<string, { n: number }>({ max: 2 });
    const shared = { n: 1 };
    cache.set('a', shared);
    await expect(captureClosure(() => cache.get('a'))).rejects.toThrow(/captured "cache": .*private state.*registerReducer/s);
    registerReducer(LRUCache, (each: LRUCache<string, object>) => [
      (max: number, entries: [string, { value: object }][]) => {
        const made = new LRUCache<string, object>({ max });
        made.load(entries);
        return made;
      },
      each.max,
      each.dump(),
    ]);
    const result = await restored(() => {
      const found = cache.get('a');
      cache.set('b', { n: 2 }).set('c', { n: 3 });
      return [found === shared, found?.n, cache.size, cache.has('a'), cache instanceof LRUCache];
    });
    expect(result).toEqual([true, 1, 2, false, true]);
  });

  test('by a method of their own, also of subclasses, once for each instance', async () => {
    const [cold, warm] = [new Temperature(-3), new Warm(30)];
    const twice = [cold, cold];
    expect(await restored(() => [twice[0] === twice[1], cold === twice[0], cold.degrees, warm.degrees])).toEqual([
      true,
      true,
      -3,
      30,
    ]);
  });

  test.each([
    ['fails', new Broken(), /captured "value": an instance of Broken, whose reducer failed: no state yet/],
    ['gives something else', new Shapeless(), /captured "value": an instance of Shapeless, whose reducer gave no array/],
  ])('are refused where the reducer %s', async (_what, value, message) => {
    await expect(captureClosure(() => value)).rejects.toMatchObject({
      code: 'E_NOT_CAPTURABLE',
      message: expect.stringMatching(message),
    });
  });

  test('of no class are refused', () => {
    expect(() => registerReducer({} as never, (() => []) as never)).toThrow(/expected a class/);
  });
});
