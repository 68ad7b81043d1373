import { createPatch, diffWords } from 'diff';
const before = 'the old text';
export const inputs = ['the new text'];
export const predictOne = (s: string) => [
  diffWords(before, s).map(({ value, added, removed }) => [value, added === true, removed === true]),
  createPatch('f', before, s).length,
];
