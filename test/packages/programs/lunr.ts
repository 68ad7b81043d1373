import lunr from 'lunr';
lunr.tokenizer.separator = /[\s_]+/;
const index = lunr(function () {
  this.field('text');
  this.ref('id');
  this.add({ id: 1, text: 'red_cars are fast' });
  this.add({ id: 2, text: 'green tea' });
});
export const inputs = ['car', 'tea', 'red'];
export const predictOne = (s: string) => index.search(s).map(({ ref, score }) => [ref, score.toFixed(3)]);
