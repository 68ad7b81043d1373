import { create, define, defaulted, is, number, object, string } from 'superstruct';
const Even = define<number>('Even', (value) => typeof value === 'number' && value % 2 === 0);
const Item = object({ n: Even, s: defaulted(string(), 'none'), x: defaulted(number(), 1) });
export const inputs = ['{"n":2}', '{"n":1}'];
export const predictOne = (s: string) => {
  const value = JSON.parse(s);
  return is(value, object({ n: Even })) ? create(value, Item) : 'odd';
};
