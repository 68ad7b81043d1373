// Caches of outputs: time of an operation, and how many of a skewed load's questions they answer.
import { LRUCache } from 'lru-cache';
import { PredictionCache } from '../src/serving/prediction-cache.ts';
import { fixed, median, printTable } from './statistics.ts';

interface Cache {
  get(key: string): string | undefined;
  set(key: string, output: string): void;
}

const maxBytes = 8 * 2 ** 20;
const bytesOf = (output: string, key: string): number => key.length + 2 * output.length + 160;

function ours(): Cache {
  const cache = new PredictionCache(maxBytes);
  const keyOf = (text: string) => ({ text, bytes: undefined });
  return { get: (key) => cache.get('m:1 1', keyOf(key)), set: (key, output) => cache.set('m:1 1', keyOf(key), output) };
}

const caches: Readonly<Record<string, () => Cache>> = {
  'ours, on lru-cache': () => ours(),
  'lru-cache alone': () => new LRUCache<string, string>({ maxSize: maxBytes, sizeCalculation: bytesOf }),
};

const questions = 1_000_000;
const keyOf = (value: number): string => Buffer.from(Float64Array.of(value, 2, 3).buffer).toString('latin1');
const unique = Array.from({ length: questions }, (_, at) => keyOf(at));
/** Ranks of a million inputs of which the nth is asked for 1/n as often as the first (Zipf). */
let seed = 1;
const random = (): number => {
  seed = (seed * 48_271) % 2_147_483_647;
  return seed / 2_147_483_647;
};
const skewed = Array.from({ length: questions }, () => unique[Math.floor(questions ** random()) - 1] as string);

/** Nanoseconds a question, and the share of them that the cache answers. */
function ask(cache: Cache, keys: readonly string[]): { nanos: number; hits: number } {
  let hits = 0;
  const began = performance.now();
  for (const key of keys) {
    if (cache.get(key) !== undefined) hits++;
    else cache.set(key, '1.5');
  }
  return { nanos: (1e6 * (performance.now() - began)) / keys.length, hits: hits / keys.length };
}

const rows = Object.entries(caches).map(([name, make]) => {
  const rounds = Array.from({ length: 5 }, () => ({ unique: ask(make(), unique), skewed: ask(make(), skewed) }));
  const nanos = (of: 'unique' | 'skewed'): string => fixed(median(rounds.map((round) => round[of].nanos)), 0);
  return [name, nanos('unique'), nanos('skewed'), fixed(100 * (rounds[0]?.skewed.hits ?? 0), 1)];
});
printTable([['', 'ns, never the same', 'ns, skewed', '% answered, skewed'], ...rows]);
