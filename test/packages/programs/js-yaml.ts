import { dump, load } from 'js-yaml';
const defaults = load('a: 1\nlist: [x, y]') as Record<string, unknown>;
const options = { filename: 'some.yml' };
export const inputs = ['b: 2', 'list: &l [1]\nagain: *l', 'a: ['];
export const predictOne = (s: string) => {
  try {
    return [{ ...defaults, ...(load(s, options) as object) }, dump({ s })];
  } catch (e: any) {
    return [e.name, e.mark?.line ?? null];
  }
};
