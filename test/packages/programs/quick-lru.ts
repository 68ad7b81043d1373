import QuickLRU from 'quick-lru';
const cache = new QuickLRU<string, number>({ maxSize: 10 });
cache.set('a', 1);
export const inputs = ['a', 'b'];
export const predictOne = (s: string) => cache.get(s) ?? 'none';
const make = () => {
  const fresh = new QuickLRU<string, number>({ maxSize: 10 });
  fresh.set('a', 1);
  return { cache: fresh };
};
export const fixed = { setup: make, predictOne: (s: string, { cache }: ReturnType<typeof make>) => cache.get(s) ?? 'none' };
