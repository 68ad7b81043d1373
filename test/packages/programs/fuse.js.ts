import Fuse from 'fuse.js';
const fuse = new Fuse([{ name: 'apple' }, { name: 'banana' }, { name: 'cherry' }], { keys: ['name'], includeScore: true });
export const inputs = ['aple', 'chery', 'zzz'];
export const predictOne = (s: string) => fuse.search(s).map(({ item, score }) => [item.name, score?.toFixed(3)]);
