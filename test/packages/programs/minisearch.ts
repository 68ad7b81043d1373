import MiniSearch from 'minisearch';
const search = new MiniSearch({ fields: ['text'], storeFields: ['text'], processTerm: (term) => term.toLowerCase() });
search.addAll([
  { id: 1, text: 'Red cars' },
  { id: 2, text: 'Green tea' },
]);
export const inputs = ['red', 'te', 'x'];
export const predictOne = (s: string) => search.search(s, { prefix: true }).map(({ id, text }) => [id, text]);
