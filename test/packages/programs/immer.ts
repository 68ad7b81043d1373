import { enableMapSet, produce, setAutoFreeze } from 'immer';
enableMapSet();
setAutoFreeze(false);
const base = { seen: new Map([['a', 1]]), list: [1] };
export const inputs = ['a', 'b'];
export const predictOne = (s: string) => {
  const next = produce(base, (draft) => {
    draft.seen.set(s, 2);
  });
  return [[...next.seen], base.seen.size, Object.isFrozen(next)];
};
export const fixed = {
  setup: () => {
    enableMapSet();
    setAutoFreeze(false);
  },
  predictOne,
};
